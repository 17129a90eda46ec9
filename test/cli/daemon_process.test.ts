import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { errorToldSince, logLength } from '../../cli/daemon_process.ts';

describe('what a daemon tells when it ends', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is the error in its log since then, if there is one', () => {
    const log = join(folder, 'n1.log');
    expect(errorToldSince(log, logLength(log))).to.equal(undefined);
    writeFileSync(log, 'coopfs cacher: of an earlier life\n{"msg":"up"}\n');
    const start = logLength(log);
    expect(errorToldSince(log, start)).to.equal(undefined);
    writeFileSync(log, 'coopfs cacher: file 7 stayed here\n', { flag: 'a' });
    expect(errorToldSince(log, start)).to.equal('file 7 stayed here');
  });
});
