/** How a message is to travel. */

import { RudpError } from './errors.ts';
import { MAX_DEADLINE_MS } from './limits.ts';
import type { Millis } from './millis.ts';
import type { Priority } from './priorities.ts';

export interface SendOptions {
  /** 0 to 2^32 − 1, default 0. */
  readonly channel?: number;
  /**
   * True, the default: it is delivered after all ordered messages that went on its channel before.
   * False: it is delivered as soon as it is whole, and holds up nobody.
   */
  readonly ordered?: boolean;
  /** Who goes first (send_turns.ts); order within a channel holds all the same. Default 'normal'. */
  readonly priority?: Priority;
  /**
   * A message that is not acknowledged so long after the call is given up: nothing of it is sent any
   * more, and what comes after it on its channel goes on without it. Default: never.
   */
  readonly deadlineMs?: Millis;
  /**
   * True: `send` answers a ticket, by which the message can be cancelled, and which an event
   * `settled` names when its fate is known. Default false.
   */
  readonly tracked?: boolean;
}

/**
 * The end of a tracked message, unless its connection ends before: the peer has it; or it was given
 * up, and whether it arrived nevertheless cannot be known.
 */
export type Outcome = 'acknowledged' | 'deadline' | 'cancelled';

/** @throws RudpError 'invalid' for a deadline out of its range. */
export const checkDeadline = (deadlineMs: Millis): void => {
  if (deadlineMs > 0 && deadlineMs <= MAX_DEADLINE_MS) return;
  const range = `above 0, up to ${MAX_DEADLINE_MS}`;
  throw new RudpError('invalid', `deadlineMs is ${deadlineMs}; it must be ${range}`);
};
