/** The trace of a run, a line an event, and its hash: two runs with one hash did the same. */

export class Trace {
  readonly #now: () => number;
  readonly #print: ((line: string) => void) | undefined;
  #hash = 0x811c9dc5;

  constructor(now: () => number, print: ((line: string) => void) | undefined) {
    this.#now = now;
    this.#print = print;
  }

  readonly add = (line: string): void => {
    const text = `${this.#now().toFixed(3)} ${line}`;
    for (let index = 0; index < text.length; index++) {
      this.#hash = Math.imul(this.#hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
    }
    this.#print?.(text);
  };

  /** FNV-1a of all lines. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, '0');
  }
}
