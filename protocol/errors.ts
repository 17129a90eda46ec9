/** The closed vocabulary of errors that an application or a command can meet. */

export const ERROR_CODES = {
  EBADF: 'the file is not open, or not open for this',
  EBUSY: 'in use by somebody else',
  ECONNLOST: 'the daemon on the other side is gone',
  EFBIG: 'nothing of the write fits in the file',
  EINVAL: 'an argument is out of its range',
  EIO: 'the disk failed',
  ENOENT: 'there is no such file on the volume',
  EPROTO: 'a message that does not follow the protocol',
  EROFS: 'there is no second memory, and writes without one are refused',
  ESHUTDOWN: 'the daemon is stopping',
  ESTALE: 'writes to the file were lost since it was opened: open it again',
  ETIMEDOUT: 'no answer in time',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error of coopfs: `code` for programs, `message` for people (what was wrong, what is right). */
export class FsError extends Error {
  override readonly name = 'FsError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);

/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
