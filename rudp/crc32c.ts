/** CRC-32C (Castagnoli; RFC 3720 §12.1, appendix B.4), sixteen bytes a step by sixteen tables. */

const POLYNOMIAL_REVERSED = 0x82f63b78;
const TABLES = 16;

/** Table k at 256 k: the remainder of a byte that k zero bytes follow. Signed, as V8 likes it best. */
const makeTable = (): Int32Array => {
  const table = new Int32Array(TABLES * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL_REVERSED : crc >>> 1;
    }
    table[byte] = crc;
  }
  for (let index = 256; index < TABLES * 256; index += 1) {
    const previous = table[index - 256] ?? 0;
    table[index] = (previous >>> 8) ^ (table[previous & 0xff] ?? 0);
  }
  return table;
};

const TABLE = makeTable();

/**
 * The checksum of bytes[start … end). `seed` is the checksum of what came before, 0 at first: the
 * checksum of a whole is that of its second part seeded with that of its first.
 */
export const crc32c = (bytes: Uint8Array, start: number, end: number, seed = 0): number => {
  const table = TABLE;
  let crc = ~seed;
  let at = start;
  /* eslint-disable @typescript-eslint/no-non-null-assertion --
     every index is in bounds by construction, and this loop sees every byte that is sent. */
  for (const stop = end - 15; at < stop; at += 16) {
    crc =
      table[3840 + ((bytes[at]! ^ crc) & 0xff)]! ^
      table[3584 + ((bytes[at + 1]! ^ (crc >>> 8)) & 0xff)]! ^
      table[3328 + ((bytes[at + 2]! ^ (crc >>> 16)) & 0xff)]! ^
      table[3072 + (bytes[at + 3]! ^ (crc >>> 24))]! ^
      table[2816 + bytes[at + 4]!]! ^
      table[2560 + bytes[at + 5]!]! ^
      table[2304 + bytes[at + 6]!]! ^
      table[2048 + bytes[at + 7]!]! ^
      table[1792 + bytes[at + 8]!]! ^
      table[1536 + bytes[at + 9]!]! ^
      table[1280 + bytes[at + 10]!]! ^
      table[1024 + bytes[at + 11]!]! ^
      table[768 + bytes[at + 12]!]! ^
      table[512 + bytes[at + 13]!]! ^
      table[256 + bytes[at + 14]!]! ^
      table[bytes[at + 15]!]!;
  }
  for (; at < end; at += 1) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 0xff]!;
  /* eslint-enable @typescript-eslint/no-non-null-assertion */
  return ~crc >>> 0;
};
