/** The highest of the values of the last few rounds. */
export class WindowedMax {
  value = 0;
  readonly #highest: Float64Array;
  #round = 0;

  /** @param rounds how many rounds a value counts, its own among them. */
  constructor(rounds: number) {
    this.#highest = new Float64Array(rounds);
  }

  take(value: number): void {
    const { length } = this.#highest;
    const at = this.#round % length;
    this.#highest[at] = Math.max(this.#highest[at] ?? 0, value);
    this.value = Math.max(this.value, value);
  }

  nextRound(): void {
    this.#round += 1;
    this.#highest[this.#round % this.#highest.length] = 0;
    let highest = 0;
    for (const each of this.#highest) highest = Math.max(highest, each);
    this.value = highest;
  }
}
