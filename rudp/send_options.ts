/** How a message is to travel. */

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
}
