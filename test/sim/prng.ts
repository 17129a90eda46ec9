/** Seeded random numbers: the same seed gives the same run, on every machine. */

/** sfc32 (Chris Doty-Humphrey's small fast counting generator), 32 bits a step. */
export class Prng {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.seed = seed;
    this.#a = 0x9e3779b9;
    this.#b = seed | 0;
    this.#c = Math.floor(seed / 0x1_0000_0000) | 0;
    for (let warmUp = 0; warmUp < 12; warmUp += 1) this.#step();
  }

  #step(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  readonly next = (): number => this.#step() / 0x1_0000_0000;

  /** Uniform in 0 … bound − 1. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** Uniform in least … greatest. */
  between(least: number, greatest: number): number {
    return least + this.below(greatest - least + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** `length` random bytes. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#step() & 0xff);
  }

  /** A generator of its own for one part of a simulation, so that parts do not disturb each other. */
  fork(): Prng {
    return new Prng(this.#step() * 0x10_0000 + (this.#step() & 0xf_ffff));
  }
}
