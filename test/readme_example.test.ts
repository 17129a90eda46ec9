/** The example of rudp alone in README.md, run as it stands there. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { readText } from './tidy/repository.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCE = new URL('../rudp/index.ts', import.meta.url).href;

describe('the example of rudp in README.md', () => {
  it('runs, prints what its comment says, and has ten lines', function () {
    this.timeout(20_000);
    const blocks = [...readText('README.md').matchAll(/^```js\n(.*?)^```$/gms)];
    const example = blocks
      .map(([, code = '']) => code)
      .find((code) => code.includes('coopfs/rudp'));
    const lines = example?.split('\n').filter((line) => line !== '') ?? [];
    expect(lines.length).to.be.within(5, 10);
    const said = lines.find((line) => line.includes('console.log'))?.split('// ')[1];
    expect(said).to.not.equal(undefined);
    const folder = mkdtempSync(join(tmpdir(), 'coopfs-readme-'));
    try {
      const file = join(folder, 'example.mjs');
      writeFileSync(file, lines.join('\n').replace(`'coopfs/rudp'`, `'${SOURCE}'`));
      const run = ['--import', 'tsx', file];
      const printed = execFileSync(process.execPath, run, { cwd: ROOT, encoding: 'utf8' });
      expect(printed).to.equal(`${said}\n`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
