/** Writing of numbers: big-endian and as variable-length integers (RFC 9000 §16). */

const ONE_BYTE_END = 0x40;
const TWO_BYTES_END = 0x4000;
const FOUR_BYTES_END = 0x4000_0000;

/** The bytes that `value` takes as a variable-length integer: 1, 2, 4 or 8. */
export const varintBytes = (value: number): number => {
  if (value < ONE_BYTE_END) return 1;
  if (value < TWO_BYTES_END) return 2;
  return value < FOUR_BYTES_END ? 4 : 8;
};

/** Writes `value` (0 … 2^53 − 1) at `at`; answers the offset after it. */
export const writeVarint = (to: Uint8Array, at: number, value: number): number => {
  if (value < ONE_BYTE_END) {
    to[at] = value;
    return at + 1;
  }
  if (value < TWO_BYTES_END) {
    to[at] = 0x40 | (value >>> 8);
    to[at + 1] = value & 0xff;
    return at + 2;
  }
  if (value < FOUR_BYTES_END) {
    const next = writeUint32(to, at, value);
    to[at] = 0x80 | (value >>> 24);
    return next;
  }
  const next = writeUint53(to, at, value);
  to[at] = 0xc0 | (to[at] ?? 0);
  return next;
};

export const writeUint16 = (to: Uint8Array, at: number, value: number): number => {
  to[at] = (value >>> 8) & 0xff;
  to[at + 1] = value & 0xff;
  return at + 2;
};

/** Writes the low 32 bits of `value`, which may be larger. */
export const writeUint32 = (to: Uint8Array, at: number, value: number): number => {
  to[at] = (value >>> 24) & 0xff;
  to[at + 1] = (value >>> 16) & 0xff;
  to[at + 2] = (value >>> 8) & 0xff;
  to[at + 3] = value & 0xff;
  return at + 4;
};

/** Writes a number below 2^53 in eight bytes. */
export const writeUint53 = (to: Uint8Array, at: number, value: number): number => {
  writeUint32(to, at, Math.floor(value / 0x1_0000_0000));
  return writeUint32(to, at + 4, value % 0x1_0000_0000);
};
