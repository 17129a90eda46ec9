import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { makeFolder } from '../../rudp/make_folder.ts';

describe('a folder', () => {
  let root = '';

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'rudp-folder-'));
  });

  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it('is made with those above it, and taken as it is if it is there', () => {
    const path = join(root, 'a', 'b');
    makeFolder(path);
    makeFolder(path);
    expect(statSync(path).isDirectory()).to.equal(true);
  });

  it('is not made where something else is, or where none can be', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    expect(() => {
      makeFolder(file);
    }).to.throw(/EEXIST/);
    expect(() => {
      makeFolder(join(file, 'below'));
    }).to.throw(/ENOTDIR|EEXIST/);
    if (!existsSync('/proc/self')) return;
    expect(() => {
      makeFolder('/proc/no-such/folder');
    }).to.throw(/ENOENT/);
  });
});
