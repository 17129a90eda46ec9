/**
 * Golden transcripts: every *.txt here is a story of several nodes, told command by command with what
 * the cores did. `UPDATE=1 npx mocha --spec test/scenarios/scenarios.test.ts` writes the output anew;
 * the `expect` lines are checked all the same.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { play } from './script.ts';

const HERE = new URL('.', import.meta.url);
const names = readdirSync(HERE).filter((name) => name.endsWith('.txt'));

describe('scenarios', () => {
  for (const name of names) {
    const file = new URL(name, HERE);
    const golden = readFileSync(file, 'utf8');
    const [title = ''] = golden.split('\n');

    it(`${name}: ${title.replace(/^# /, '')}`, () => {
      const transcript = play(golden);
      if (process.env['UPDATE'] === '1') writeFileSync(file, transcript);
      else expect(transcript).to.equal(golden);
    });
  }

  it('stops at a command that it does not know, and at an expectation that does not hold', () => {
    expect(() => play('cluster n1\nn1 dances')).to.throw('line 2, "n1 dances": this is no command');
    expect(() => play('cluster n1\nexpect n1 7 is shared')).to.throw('is invalid, expected shared');
  });
});
