import { expect } from 'chai';
import { FsError } from '../../protocol/errors.ts';
import type { FileNumber } from '../../protocol/ids.ts';
import { checkOpen, checkUse, clip, clipWrite, type OpenFiles } from '../../protocol/open_files.ts';

const GEOMETRY = { files: 4, blockSizeBytes: 8, blocksPerFile: 2 };

const code = (call: () => unknown): string => {
  try {
    call();
    return 'none';
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
};

describe('the rules for open files', () => {
  const files: OpenFiles = new Map([
    [1 as FileNumber, { mode: 0, stale: false }],
    [2 as FileNumber, { mode: 1, stale: false }],
    [0 as FileNumber, { mode: 1, stale: true }],
  ]);
  const open = (file: number, mode: number): string =>
    code(() => {
      checkOpen(files, GEOMETRY, file as FileNumber, mode);
    });
  const use = (file: number, writing: boolean): string =>
    code(() => {
      checkUse(files, file as FileNumber, writing);
    });

  it('open what exists, in mode 0 or 1, once', () => {
    expect(open(3, 0)).to.equal('none');
    expect(open(3, 1)).to.equal('none');
    expect(open(4, 0)).to.equal('ENOENT');
    expect(open(3, 2)).to.equal('EINVAL');
    expect(open(1, 1)).to.equal('EBUSY');
  });

  it('use what is open, and write what is open for writing', () => {
    expect(use(1, false)).to.equal('none');
    expect(use(1, true)).to.equal('EBADF');
    expect(use(2, true)).to.equal('none');
    expect(use(3, false)).to.equal('EBADF');
  });

  it('use nothing that was open over a loss', () => {
    expect(use(0, false)).to.equal('ESTALE');
    expect(use(0, true)).to.equal('ESTALE');
  });

  it('cut at the end of the file', () => {
    expect([
      clip(16, 0, 16),
      clip(16, 0, 17),
      clip(16, 15, 9),
      clip(16, 16, 1),
      clip(16, 99, 1),
    ]).to.deep.equal([16, 16, 1, 0, 0]);
  });

  it('refuse a write that fits nothing, but not an empty one', () => {
    expect(clipWrite(16, 15, 2)).to.equal(1);
    expect(clipWrite(16, 16, 0)).to.equal(0);
    expect(code(() => clipWrite(16, 16, 1))).to.equal('EFBIG');
  });
});
