import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  identify,
  isRunning,
  lockByProcessFile,
  readProcessFile,
  writeProcessFile,
} from '../../cli/process_file.ts';

describe('process files', () => {
  let folder = '';
  let path = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
    path = join(folder, 'a.pid');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('name a process while it runs', () => {
    writeProcessFile(path, identify(process.pid));
    expect(readProcessFile(path)?.pid).to.equal(process.pid);
    expect(isRunning(identify(process.pid))).to.equal(true);
  });

  it('do not take a later process of the same number for the one that was meant', () => {
    writeFileSync(path, `${process.pid}\n1\n`);
    expect(readProcessFile(path)).to.equal(undefined);
  });

  it('name nobody when the process ended, the file is missing or holds something else', () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(path, `${pid}\n\n`);
    expect(readProcessFile(path)).to.equal(undefined);
    expect(readProcessFile(join(folder, 'none'))).to.equal(undefined);
    for (const text of ['', '-1\n', '0\n', 'abc\n5\n']) {
      writeFileSync(path, text);
      expect(readProcessFile(path), text).to.equal(undefined);
    }
  });

  it('lock out others until they are released', () => {
    const release = lockByProcessFile(path);
    expect(release).to.be.a('function');
    expect(lockByProcessFile(path)).to.equal(undefined);
    release?.();
    expect(existsSync(path)).to.equal(false);
    expect(lockByProcessFile(path)).to.be.a('function');
  });

  it('are taken over as locks when their process is gone', () => {
    writeFileSync(path, `${process.pid}\n1\n`);
    expect(lockByProcessFile(path)).to.be.a('function');
  });
});
