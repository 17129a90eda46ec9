/** Repeatable chance: the same numbers for the same seed. Pure. */

const GOLDEN = 0x9e3779b9;

/** Mixes text into 32 bits (FNV-1a), so that each rule of a seed has a chance of its own. */
export const seedOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
};

/** Uniform numbers in [0, 1) of 32 bits: a Weyl sequence through the finalizer of MurmurHash3. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + GOLDEN) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 0x1_0000_0000;
  };
};
