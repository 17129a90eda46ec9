/** What one application has open on one connection; the rules that every daemon checks alike. */

import { FsError } from './errors.ts';
import type { FileNumber, Geometry } from './ids.ts';
import { PROTOCOL_VERSION } from './messages.ts';

export const READ_MODE = 0;
export const WRITE_MODE = 1;

export interface OpenFile {
  readonly mode: number;
  /** Writes to the file were lost since it was opened: nothing but closing works any more. */
  stale: boolean;
}

export type OpenFiles = Map<FileNumber, OpenFile>;

/** Throws EPROTO if an application speaks another version of the messages than this daemon. */
export const checkProtocol = (version: number): void => {
  if (version === PROTOCOL_VERSION) return;
  const right = `this daemon speaks version ${PROTOCOL_VERSION}`;
  throw new FsError(
    'EPROTO',
    `the application speaks version ${version} of the protocol, ${right}`,
  );
};

/** Throws ENOENT, EINVAL or EBUSY if `file` cannot be opened; does not open it yet. */
export const checkOpen = (
  files: OpenFiles,
  geometry: Geometry,
  file: FileNumber,
  mode: number,
): void => {
  if (file >= geometry.files) {
    throw new FsError(
      'ENOENT',
      `file ${file} does not exist: files are 0 to ${geometry.files - 1}`,
    );
  }
  if (mode !== READ_MODE && mode !== WRITE_MODE) {
    throw new FsError('EINVAL', `mode ${mode} is neither 0 (read) nor 1 (read and write)`);
  }
  if (files.has(file)) {
    throw new FsError('EBUSY', `file ${file} is already open on this connection`);
  }
};

/** Throws EBADF unless `file` is open. */
export const checkIsOpen = (files: OpenFiles, file: FileNumber): OpenFile => {
  const open = files.get(file);
  if (open === undefined) throw new FsError('EBADF', `file ${file} is not open`);
  return open;
};

/** Throws EBADF unless `file` is open, and open for writing if `writing`; ESTALE after a loss. */
export const checkUse = (files: OpenFiles, file: FileNumber, writing: boolean): void => {
  const { mode, stale } = checkIsOpen(files, file);
  if (writing && mode !== WRITE_MODE) {
    throw new FsError('EBADF', `file ${file} is open for reading (mode 0), not for writing`);
  }
  if (stale) throw staleError(file);
};

export const staleError = (file: FileNumber): FsError => {
  const what = `writes to file ${file} were lost with the nodes that held them since it was opened`;
  return new FsError('ESTALE', `${what}: close it and open it again`);
};

/** The piece of a file of `sizeBytes` that a call at `offset` for `length` bytes reaches. */
export const clip = (sizeBytes: number, offset: number, length: number): number =>
  Math.max(0, Math.min(length, sizeBytes - offset));

/** Throws EFBIG if a write of `length` bytes at `offset` fits nothing; else how much of it fits. */
export const clipWrite = (sizeBytes: number, offset: number, length: number): number => {
  const count = clip(sizeBytes, offset, length);
  if (count === 0 && length > 0) {
    throw new FsError('EFBIG', `a write at ${offset} is past the end, at ${sizeBytes} bytes`);
  }
  return count;
};
