/** So many a second, and as many in one burst: a bucket of tokens that fills with time. */

import type { Millis } from './millis.ts';

const MS_PER_SECOND = 1000;

export class RateLimit {
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: Millis = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
  }

  /** True if one more may be at `now`, which it then is. */
  take(now: Millis): boolean {
    const refill = ((now - this.#filledAt) * this.#perSecond) / MS_PER_SECOND;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + refill);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
