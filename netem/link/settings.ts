/** What an IP link does to packets, and the words in which it is told so (`link.c`). Pure. */

/** One direction. Times in ms; shares and chances from 0 to 1. What is left out stays as it is; all begin at 0. */
export interface LinkSettings {
  /** One way, from the end of sending to arrival. */
  readonly delayMs?: number;
  /** Up to this much more or less; packets keep their order. */
  readonly jitterMs?: number;
  /** 0: without limit. */
  readonly rateMbit?: number;
  /** A packet that would have to wait longer for its turn is dropped. */
  readonly queueMs?: number;
  /** The chance of each IP packet to be lost (in the good state). */
  readonly loss?: number;
  /** Gilbert-Elliott: the chance of each packet to change to the bad state, … */
  readonly badEnter?: number;
  /** … and back, … */
  readonly badLeave?: number;
  /** … and the loss in it. */
  readonly badLoss?: number;
  /** The chance of a packet to be held back, so that others overtake it, … */
  readonly reorder?: number;
  /** … for up to so long. */
  readonly reorderMs?: number;
  /** The chance of a packet to be sent twice. */
  readonly duplicate?: number;
  /** Restarts the dice: the same seed, settings and packets have the same luck. An integer below 2^31. */
  readonly seed?: number;
}

export type Direction = 'ab' | 'ba' | 'both';

const MAX_MS = 60_000;
const MAX_MBIT = 100_000;

/** The word of the link, and the greatest value. */
const WORDS: Readonly<Record<keyof LinkSettings, readonly [string, number]>> = {
  delayMs: ['delay_ms', MAX_MS],
  jitterMs: ['jitter_ms', MAX_MS],
  rateMbit: ['rate_mbit', MAX_MBIT],
  queueMs: ['queue_ms', MAX_MS],
  loss: ['loss', 1],
  badEnter: ['bad_enter', 1],
  badLeave: ['bad_leave', 1],
  badLoss: ['bad_loss', 1],
  reorder: ['reorder', 1],
  reorderMs: ['reorder_ms', MAX_MS],
  duplicate: ['duplicate', 1],
  seed: ['seed', 2 ** 31 - 1],
};

/**
 * The command that sets `settings`.
 * @throws RangeError for a value out of its range.
 */
export const setCommand = (direction: Direction, settings: LinkSettings): string => {
  const words = Object.entries(settings).map(([key, value]: [string, number]) => {
    const [word, greatest] = WORDS[key as keyof LinkSettings];
    if (!(value >= 0 && value <= greatest)) {
      throw new RangeError(`${key} of a link is ${value}; it must be 0 to ${greatest}`);
    }
    // Not in the form 1e-7, and exact to what matters.
    return `${word}=${value.toFixed(9).replace(/\.?0+$/, '')}`;
  });
  return ['set', direction, ...words].join(' ');
};
