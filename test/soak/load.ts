/** What the soak sends: messages whose channel and place tell their length and every byte of them. */

import { Prng } from '../sim/prng.ts';

export const CHANNELS = 16;
const HEADER_BYTES = 4;
const KIB = 1024;
const LONGEST_BYTES = 1024 * KIB;
/** The lengths of a channel repeat after so many messages. */
const LENGTHS = 1_009;

/** Mostly small, some of a few packets, now and then a long one. */
const lengthOf = (prng: Prng): number => {
  if (prng.chance(0.005)) return prng.between(64 * KIB, LONGEST_BYTES);
  if (prng.chance(0.1)) return prng.between(2 * KIB, 64 * KIB);
  return prng.between(HEADER_BYTES, 2 * KIB);
};

const lengths = Array.from({ length: LENGTHS }, (_, seed) => lengthOf(new Prng(seed)));

/** Every content is a stretch of these bytes, which repeat after 256: 251 of them are different. */
const CONTENTS = 251;
const contents = Uint8Array.from({ length: LONGEST_BYTES + CONTENTS }, (_, at) => at * 7);

const bodyOf = (channel: number, sequence: number): Uint8Array => {
  const length = lengths[(sequence * 31 + channel * 17) % LENGTHS] ?? HEADER_BYTES;
  const start = (sequence + channel) % CONTENTS;
  return contents.subarray(start, start + length - HEADER_BYTES);
};

/** Message number `sequence` of a channel. */
export const messageOf = (channel: number, sequence: number): Uint8Array => {
  const body = bodyOf(channel, sequence);
  const message = new Uint8Array(HEADER_BYTES + body.length);
  new DataView(message.buffer).setUint32(0, sequence);
  message.set(body, HEADER_BYTES);
  return message;
};

/** What is wrong with a message that came as number `sequence` of its channel; undefined if nothing. */
export const problemOf = (
  channel: number,
  sequence: number,
  message: Uint8Array,
): string | undefined => {
  const place = `channel ${channel}, message ${sequence}`;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const found = message.length < HEADER_BYTES ? -1 : view.getUint32(0);
  if (found !== sequence) return `${place}: message ${found} came in its place`;
  if (Buffer.compare(message.subarray(HEADER_BYTES), bodyOf(channel, sequence)) !== 0) {
    return `${place}: its contents are not what was sent`;
  }
  return undefined;
};
