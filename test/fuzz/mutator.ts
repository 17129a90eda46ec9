/**
 * Mutations of valid inputs, from a seed: the same seed makes the same inputs. Written for speed:
 * one buffer is used again and again, and no mutation costs more than a copy.
 */

import type { Prng } from '../sim/prng.ts';

/** Inputs grow by mutation up to this. */
export const MAX_INPUT_BYTES = 8 * 1024;
const MAX_MUTATIONS = 5;
/** Runs of bytes that are inserted, removed or doubled. */
const MAX_RUN_BYTES = 24;

/** Single bytes at which decoders decide: ends of varint lengths, signs, ASCII. */
const BYTES = [
  0, 1, 2, 3, 4, 7, 8, 9, 10, 0x0f, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfe, 0xff,
];
/** Numbers at which they decide, as varints of 1 to 8 bytes and as fixed ones in both orders. */
const NUMBERS = [
  [0x40, 0x00],
  [0x7f, 0xff],
  [0x80, 0x00, 0x40, 0x00],
  [0xbf, 0xff, 0xff, 0xff],
  [0xc0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xc0, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x7f, 0xff, 0xff, 0xff],
  [0x80, 0x00, 0x00, 0x00],
  [0xff, 0xff, 0xff, 0xff],
  [0x00, 0x00, 0x00, 0x01],
] as const;

export class Mutator {
  readonly #prng: Prng;
  readonly #buffer = new Uint8Array(MAX_INPUT_BYTES);
  #length = 0;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** One of `corpus`, changed in one to five places; it lives until the next call. */
  next(corpus: readonly Uint8Array[]): Uint8Array {
    const sample = this.#pick(corpus);
    this.#length = Math.min(sample.length, MAX_INPUT_BYTES);
    this.#buffer.set(sample.subarray(0, this.#length));
    for (let left = this.#prng.between(1, MAX_MUTATIONS); left > 0; left -= 1) this.#mutate(corpus);
    return this.#buffer.subarray(0, this.#length);
  }

  #pick(corpus: readonly Uint8Array[]): Uint8Array {
    return corpus[this.#prng.below(corpus.length)] ?? new Uint8Array(0);
  }

  #mutate(corpus: readonly Uint8Array[]): void {
    const prng = this.#prng;
    const at = prng.below(this.#length + 1);
    switch (prng.below(9)) {
      case 0:
        this.#flip(at);
        break;
      case 1:
        this.#put(at, BYTES[prng.below(BYTES.length)] ?? 0);
        break;
      case 2:
        this.#put(at, prng.below(256));
        break;
      case 3:
        for (const [index, byte] of (NUMBERS[prng.below(NUMBERS.length)] ?? []).entries()) {
          this.#put(at + index, byte);
        }
        break;
      case 4:
        this.#remove(at, prng.between(1, MAX_RUN_BYTES));
        break;
      case 5:
        this.#insert(at, prng.between(1, MAX_RUN_BYTES));
        break;
      case 6:
        this.#length = at;
        break;
      case 7:
        this.#splice(at, this.#pick(corpus));
        break;
      default:
        this.#add(at, prng.chance(0.5) ? 1 : -1);
    }
  }

  #flip(at: number): void {
    this.#put(at, (this.#buffer[at] ?? 0) ^ (1 << this.#prng.below(8)));
  }

  #add(at: number, by: number): void {
    this.#put(at, (this.#buffer[at] ?? 0) + by);
  }

  /** Writes a byte; at the end, the input gets longer. */
  #put(at: number, byte: number): void {
    if (at >= MAX_INPUT_BYTES) return;
    this.#buffer[at] = byte;
    this.#length = Math.max(this.#length, at + 1);
  }

  #remove(at: number, count: number): void {
    const end = Math.min(at + count, this.#length);
    this.#buffer.copyWithin(at, end, this.#length);
    this.#length -= end - at;
  }

  /** Doubles what follows, or inserts one byte many times. */
  #insert(at: number, wanted: number): void {
    const count = Math.min(wanted, MAX_INPUT_BYTES - this.#length);
    this.#buffer.copyWithin(at + count, at, this.#length);
    if (this.#prng.chance(0.5)) this.#buffer.fill(this.#prng.below(256), at, at + count);
    this.#length += count;
  }

  /** Goes on as another sample does. */
  #splice(at: number, other: Uint8Array): void {
    const from = this.#prng.below(other.length + 1);
    const tail = other.subarray(from, from + MAX_INPUT_BYTES - at);
    this.#buffer.set(tail, at);
    this.#length = at + tail.length;
  }
}
