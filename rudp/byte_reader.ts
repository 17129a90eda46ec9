/**
 * Reads a datagram from the network. Reading past the end yields zeros and makes `failed()` true: foreign
 * bytes are an everyday event, not an exception, and one check at the end of a frame is enough.
 */
export class ByteReader {
  bytes: Uint8Array;
  offset: number;
  end: number;
  #failed = false;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  /** Starts over on other bytes, so that one reader serves every packet. */
  reset(bytes: Uint8Array, offset: number): void {
    this.bytes = bytes;
    this.offset = offset;
    this.end = bytes.length;
    this.#failed = false;
  }

  /** True if anything was read past the end, or out of its range. */
  failed(): boolean {
    return this.#failed;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  uint8(): number {
    if (this.offset >= this.end) {
      this.#failed = true;
      return 0;
    }
    return this.bytes[this.offset++] ?? 0;
  }

  uint16(): number {
    return this.uint8() * 0x100 + this.uint8();
  }

  uint32(): number {
    return this.uint16() * 0x1_0000 + this.uint16();
  }

  /** Eight bytes, big-endian; numbers of 2^53 and above fail, since no number of ours is that large. */
  uint53(): number {
    const high = this.uint32();
    const low = this.uint32();
    if (high >= 0x20_0000) {
      this.#failed = true;
      return 0;
    }
    return high * 0x1_0000_0000 + low;
  }

  /** A variable-length integer (RFC 9000 §16), below 2^53. */
  varint(): number {
    const first = this.uint8();
    if (first < 0x40) return first;
    if (first < 0x80) return (first & 0x3f) * 0x100 + this.uint8();
    if (first < 0xc0) return ((first & 0x3f) * 0x100 + this.uint8()) * 0x1_0000 + this.uint16();
    const high = ((first & 0x3f) * 0x100 + this.uint8()) * 0x1_0000 + this.uint16();
    const low = this.uint32();
    if (high >= 0x20_0000) {
      this.#failed = true;
      return 0;
    }
    return high * 0x1_0000_0000 + low;
  }

  /** A view of the next `length` bytes; it is of the datagram's own memory. */
  view(length: number): Uint8Array {
    if (length > this.remaining) {
      this.#failed = true;
      return this.bytes.subarray(0, 0);
    }
    const start = this.offset;
    this.offset += length;
    return this.bytes.subarray(start, this.offset);
  }
}
