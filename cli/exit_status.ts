/** How a command ends, for the shell that started it; and the errors that lead there. */

export const EXIT = {
  ok: 0,
  /** Something that was asked for did not succeed. */
  failed: 1,
  /** The command line or a request set is malformed; nothing was done. */
  usage: 2,
  /** The run went through, but its history is not linearizable. */
  notLinearizable: 3,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** The command line, its environment or a request set is wrong; the message says what is right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
