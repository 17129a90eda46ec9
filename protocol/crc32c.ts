/**
 * CRC32C (Castagnoli; RFC 3720 §12.1 and RFC 3309 appendix) over byte ranges, eight bytes a step.
 * It is what the volume's blocks, tables and journal records are guarded with.
 */

/** The Castagnoli polynomial 0x1EDC6F41, bits reversed. */
const POLYNOMIAL_REVERSED = 0x82f63b78;
const SLICES = 8;

/** Table k holds the effect of a byte that is followed by k zero bytes. */
const buildTables = (): readonly Uint32Array[] => {
  const tables = Array.from({ length: SLICES }, () => new Uint32Array(256));
  const first = tables[0] as Uint32Array;
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL_REVERSED : remainder >>> 1;
    }
    first[byte] = remainder >>> 0;
  }
  for (let slice = 1; slice < SLICES; slice++) {
    const before = tables[slice - 1] as Uint32Array;
    const table = tables[slice] as Uint32Array;
    for (let byte = 0; byte < 256; byte++) {
      const value = before[byte] as number;
      table[byte] = (value >>> 8) ^ (first[value & 0xff] as number);
    }
  }
  return tables;
};

const [T0, T1, T2, T3, T4, T5, T6, T7] = buildTables() as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/**
 * The CRC32C of `bytes` as an unsigned 32-bit number. `before` is the CRC32C of the bytes that came
 * before these, so that `crc32c(b, crc32c(a))` is the checksum of a followed by b.
 */
export const crc32c = (bytes: Uint8Array, before = 0): number => {
  let crc = ~before;
  let at = 0;
  const sliced = bytes.length - (bytes.length % SLICES);
  while (at < sliced) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (T7[low & 0xff] as number) ^
      (T6[(low >>> 8) & 0xff] as number) ^
      (T5[(low >>> 16) & 0xff] as number) ^
      (T4[low >>> 24] as number) ^
      (T3[bytes[at + 4] as number] as number) ^
      (T2[bytes[at + 5] as number] as number) ^
      (T1[bytes[at + 6] as number] as number) ^
      (T0[bytes[at + 7] as number] as number);
    at += SLICES;
  }
  for (; at < bytes.length; at++) {
    crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
};
