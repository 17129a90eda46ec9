/** CRC-32C (Castagnoli; RFC 3720 §12.1, appendix B.4), eight bytes a step by eight tables. */

const POLYNOMIAL_REVERSED = 0x82f63b78;
const TABLES = 8;

const makeTable = (): Uint32Array => {
  const table = new Uint32Array(TABLES * 256);
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
  for (const stop = end - 7; at < stop; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      table[1792 + (crc & 0xff)]! ^
      table[1536 + ((crc >>> 8) & 0xff)]! ^
      table[1280 + ((crc >>> 16) & 0xff)]! ^
      table[1024 + (crc >>> 24)]! ^
      table[768 + bytes[at + 4]!]! ^
      table[512 + bytes[at + 5]!]! ^
      table[256 + bytes[at + 6]!]! ^
      table[bytes[at + 7]!]!;
  }
  for (; at < end; at += 1) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 0xff]!;
  /* eslint-enable @typescript-eslint/no-non-null-assertion */
  return ~crc >>> 0;
};
