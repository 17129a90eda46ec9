/** How far it is: what is done, what comes, and how long that takes, judged by what was done so far. Pure. */

import type { Step } from './experiment.ts';

/** Steps that were longer than they should say how long those to come will be. */
export class Progress {
  #left: number;
  #expected = 0;
  #took = 0;
  #done = 0;
  readonly #total: number;

  constructor(steps: readonly Pick<Step, 'seconds'>[]) {
    this.#left = steps.reduce((sum, { seconds }) => sum + seconds, 0);
    this.#total = steps.length;
  }

  /** The line for a step that begins. */
  line(experiment: string, label: string): string {
    return `[${this.#done + 1}/${this.#total}] ${experiment}: ${label}; ${durationInWords(this.leftSeconds)} left`;
  }

  get done(): number {
    return this.#done;
  }

  get total(): number {
    return this.#total;
  }

  get leftSeconds(): number {
    return this.#left * (this.#expected === 0 ? 1 : this.#took / this.#expected);
  }

  /** A step is over. */
  take({ seconds }: Pick<Step, 'seconds'>, tookSeconds: number): void {
    this.#done += 1;
    this.#left -= seconds;
    this.#expected += seconds;
    this.#took += tookSeconds;
  }
}

/** "about 40 s", "about 3 min". */
const durationInWords = (seconds: number): string =>
  seconds < 100
    ? `about ${Math.max(1, Math.round(seconds))} s`
    : `about ${Math.round(seconds / 60)} min`;
