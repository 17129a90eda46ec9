/** Frames on a stream, for messages over a unix socket: a length of 32 bits, big endian, then a body. */

import { FsError } from './errors.ts';

/** The longest body of a frame; a whole file of 16 MiB with its envelope fits. */
export const FRAME_LIMIT_BYTES = 17 * 1024 * 1024;

const HEADER_BYTES = 4;
const FIRST_ROOM_BYTES = 64 * 1024;

const tooLong = (lengthBytes: number): FsError =>
  new FsError('EPROTO', `a frame of ${lengthBytes} bytes, must be at most ${FRAME_LIMIT_BYTES}`);

/** The frame around `body`, in bytes of its own. Throws FsError EPROTO beyond FRAME_LIMIT_BYTES. */
export const encodeFrame = (body: Uint8Array): Uint8Array => {
  if (body.length > FRAME_LIMIT_BYTES) throw tooLong(body.length);
  const frame = new Uint8Array(HEADER_BYTES + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, HEADER_BYTES);
  return frame;
};

/** Cuts a stream, which arrives in chunks of any size, into the bodies of its frames. */
export class FrameDecoder {
  #headerFilled = 0;
  #bodyLength = 0;
  #body: Uint8Array = new Uint8Array(0);
  #bodyFilled = 0;
  #broken: FsError | undefined;

  /**
   * The bodies that `chunk` completes, in order. A body may be a view of the chunk: whoever keeps it
   * copies it. Throws FsError EPROTO at a frame beyond FRAME_LIMIT_BYTES, and ever after: nothing
   * that follows can be told apart, so that the stream has to be closed.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#broken !== undefined) throw this.#broken;
    const bodies: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFilled < HEADER_BYTES) {
        this.#bodyLength = this.#bodyLength * 256 + (chunk[at] ?? 0);
        this.#headerFilled += 1;
        at += 1;
        if (this.#headerFilled < HEADER_BYTES) continue;
        this.#checkLength();
        if (this.#bodyLength > 0) continue;
      }
      const take = Math.min(this.#bodyLength - this.#bodyFilled, chunk.length - at);
      const body = this.#append(chunk.subarray(at, at + take));
      at += take;
      if (body !== undefined) bodies.push(body);
    }
    return bodies;
  }

  /** True if the stream may end here without cutting a frame. */
  get atBoundary(): boolean {
    return this.#headerFilled === 0;
  }

  #checkLength(): void {
    if (this.#bodyLength <= FRAME_LIMIT_BYTES) return;
    this.#broken = tooLong(this.#bodyLength);
    throw this.#broken;
  }

  #append(part: Uint8Array): Uint8Array | undefined {
    const filled = this.#bodyFilled + part.length;
    const complete = filled === this.#bodyLength;
    if (complete && this.#bodyFilled === 0) {
      this.#startFrame();
      return part;
    }
    this.#makeRoom(filled);
    this.#body.set(part, this.#bodyFilled);
    this.#bodyFilled = filled;
    if (!complete) return undefined;
    const body = this.#body.subarray(0, filled);
    this.#startFrame();
    return body;
  }

  /** Room grows with what has come, not with what a header promises. */
  #makeRoom(lengthBytes: number): void {
    if (lengthBytes <= this.#body.length) return;
    const room = Math.max(lengthBytes, 2 * this.#body.length, FIRST_ROOM_BYTES);
    const body = new Uint8Array(Math.min(room, this.#bodyLength));
    body.set(this.#body.subarray(0, this.#bodyFilled));
    this.#body = body;
  }

  #startFrame(): void {
    this.#headerFilled = 0;
    this.#bodyLength = 0;
    this.#bodyFilled = 0;
    this.#body = new Uint8Array(0);
  }
}
