/** Counts the messages that a link did not take, for a log line now and then. Pure. */

/** A daemon tells of dropped messages once in such a time at most. */
export const DROPPED_INTERVAL_MS = 1000;

export class DroppedSends {
  #count = 0;
  #toldMs = -Infinity;

  /** The line to log, unless one was logged a moment ago: what was dropped then counts in the next. */
  add(to: string, type: string, nowMs: number): string | undefined {
    this.#count++;
    if (nowMs < this.#toldMs + DROPPED_INTERVAL_MS) return undefined;
    const line = `${this.#count} messages dropped, the last ${type} to ${to}: its link is full or gone`;
    this.#count = 0;
    this.#toldMs = nowMs;
    return line;
  }
}
