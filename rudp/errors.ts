/** The errors that rudp throws at its user, and the codes that a connection ends with. */

export const RUDP_ERROR_CODES = {
  'buffer-full': 'the send buffer or the number of active channels is at its bound; wait for drain',
  'too-large': 'the message is longer than the peer takes',
  closed: 'the connection is closed, or there never was one of this handle',
  'not-connected': 'the handshake is not over yet',
  invalid: 'an argument or option is out of its range',
  refused: 'no connection came about',
  failed: 'the peer could not answer a request',
  deadline: 'there was no room, or no response, before the deadline',
} as const;

export type RudpErrorCode = keyof typeof RUDP_ERROR_CODES;

/** An error of rudp: `code` for programs, `message` for people. */
export class RudpError extends Error {
  override readonly name = 'RudpError';
  readonly code: RudpErrorCode;

  constructor(code: RudpErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Why a connection ended. Applications are free to use every other number below 2^32; those from
 * 0x100 on are never taken by rudp.
 */
export const CLOSE = {
  none: 0,
  idleTimeout: 1,
  reset: 2,
  superseded: 3,
  refused: 4,
  handshakeTimeout: 5,
  protocolViolation: 6,
  flowControl: 7,
  versionMismatch: 8,
  duplicate: 9,
  wrongPeer: 10,
} as const;

/** The end of a connection: a code (see `CLOSE`) and a sentence for people. */
export interface CloseReason {
  readonly code: number;
  readonly reason: string;
}
