/** Runs targets on mutated inputs, and says of a failure what replays it. */

import { Prng } from '../sim/prng.ts';
import { Mutator } from './mutator.ts';
import type { FuzzTarget } from './target.ts';

export interface FuzzResult {
  readonly target: string;
  readonly executions: number;
  readonly accepted: number;
  readonly seconds: number;
  /** The most that memory, garbage included, was above its size at the beginning, in bytes. */
  readonly grownBytes: number;
  readonly failure: FuzzFailure | undefined;
}

interface FuzzFailure {
  readonly input: Uint8Array;
  readonly error: Error;
}

/** Accepted inputs that later mutations begin with. */
const MAX_CORPUS = 512;
/** Of the accepted inputs, one in so many is kept. */
const KEEP_CHANCE = 0.02;
/** Array buffers are looked at once in so many executions. */
const LOOK_EVERY = 256;
/** No decoder may hold, at any look, more than this. */
const MAX_GROWN_BYTES = 256 * 1024 * 1024;

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

const memoryBytes = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** Memory beyond `before`; what looks like too much is collected first. */
const grownSince = (before: number): number => {
  const grown = memoryBytes() - before;
  if (grown <= MAX_GROWN_BYTES) return grown;
  globalThis.gc?.();
  return memoryBytes() - before;
};

/** Gives `executions` inputs to a target, up to the first that fails. */
export const fuzz = (target: FuzzTarget, executions: number, seed: number): FuzzResult => {
  const prng = new Prng(seed);
  const mutator = new Mutator(prng.fork());
  const corpus = [...target.samples];
  const begun = performance.now();
  const before = memoryBytes();
  let accepted = 0;
  let grownBytes = 0;
  let failure: FuzzFailure | undefined;
  let done = 0;
  for (; done < executions && failure === undefined; done += 1) {
    const input =
      done < target.samples.length ? (corpus[done] ?? new Uint8Array(0)) : mutator.next(corpus);
    try {
      if (target.run(input)) {
        accepted += 1;
        if (prng.chance(KEEP_CHANCE)) keep(corpus, input, target.samples.length, prng);
      }
      if (done % LOOK_EVERY === 0) {
        grownBytes = Math.max(grownBytes, grownSince(before));
        if (grownBytes > MAX_GROWN_BYTES) {
          throw new Error(`memory has grown by ${grownBytes} bytes`);
        }
      }
    } catch (error) {
      failure = { input: input.slice(), error: asError(error) };
    }
  }
  const seconds = (performance.now() - begun) / 1000;
  return { target: target.name, executions: done, accepted, seconds, grownBytes, failure };
};

/** Adds an input, in the place of another one that was found, if there are many. */
const keep = (corpus: Uint8Array[], input: Uint8Array, samples: number, prng: Prng): void => {
  if (corpus.length < MAX_CORPUS) corpus.push(input.slice());
  else corpus[samples + prng.below(corpus.length - samples)] = input.slice();
};

/** Runs one input; answers its failure. */
export const replay = (target: FuzzTarget, input: Uint8Array): Error | undefined => {
  try {
    target.run(input);
    return undefined;
  } catch (error) {
    return asError(error);
  }
};
