/**
 * Packets longer than a datagram. To seal a packet costs a few microseconds whether it is long or
 * short, so on a path that loses and reorders nothing a packet is sealed as one and travels in several
 * datagrams of equal size, its pieces. Who loses one has lost the packet, as with fragments of IP; so
 * a packet may have the more pieces the longer nothing was lost, and one where packets get lost.
 *
 * Pieces are not authenticated one by one: somebody who can write datagrams with the connection's id
 * and its peer's address can spoil packets with false pieces. Those do not open and are sent again
 * (docs/decisions/0011-packets-in-pieces.md).
 */

import { MAX_PARTIAL_PACKETS, MAX_PIECES, MAX_SPLIT_BYTES } from './limits.ts';
import type { Millis } from './millis.ts';
import {
  DATA_HEADER_BYTES,
  PIECE_HEADER_BYTES,
  readPieceHeader,
  writeHeaderOfPiece,
  writePieceHeader,
  type PieceHeader,
} from './packet_codec.ts';

/** A packet may have a further piece for so many datagrams in a row without a loss. */
const CLEAN_RUN_PER_PIECE = 64;
/** What goes out at once occupies the path for no longer (as Linux sizes its segments). */
const BURST_MS: Millis = 0.25;

/** The longest packet that travels in `pieces` datagrams of `datagramBytes`. */
export const packetBytesOf = (pieces: number, datagramBytes: number): number =>
  pieces === 1 ? datagramBytes : DATA_HEADER_BYTES + pieces * (datagramBytes - PIECE_HEADER_BYTES);

/** In how few datagrams a packet of `packetBytes` can travel that is longer than one. */
export const piecesOf = (packetBytes: number, datagramBytes: number): number =>
  Math.ceil((packetBytes - DATA_HEADER_BYTES) / (datagramBytes - PIECE_HEADER_BYTES));

/** Decides how many pieces a packet may have. */
export class PieceAllowance {
  #cleanRun = 0;

  /** A packet of so many pieces has arrived. */
  onAcked(pieces: number): void {
    this.#cleanRun += pieces;
  }

  onLost(): void {
    this.#cleanRun = 0;
  }

  /** For a path that carries `rate` bytes a millisecond, and a window with `roomBytes` left. */
  pieces(datagramBytes: number, rate: number, roomBytes: number): number {
    const bytes = Math.min(MAX_SPLIT_BYTES, rate * BURST_MS, roomBytes);
    const clean = 1 + Math.floor(this.#cleanRun / CLEAN_RUN_PER_PIECE);
    return Math.max(1, Math.min(MAX_PIECES, clean, Math.floor(bytes / datagramBytes)));
  }
}

/** Scratch: nothing in it outlives one piece. */
const header: PieceHeader = { index: 0, count: 0, totalBytes: 0 };

/** One packet on its way out in pieces, which lie one after the other in one buffer. */
export class Flight {
  readonly #buffer = new Uint8Array(MAX_SPLIT_BYTES + MAX_PIECES * PIECE_HEADER_BYTES);
  #at = 0;
  #end = 0;
  #datagramBytes = 0;
  to = '';

  /**
   * Cuts a sealed packet into pieces of equal size, but for the last; answers the first. None is
   * longer than `maxDatagramBytes`.
   */
  load(packet: Uint8Array, maxDatagramBytes: number, to: string): Uint8Array {
    header.totalBytes = packet.length - DATA_HEADER_BYTES;
    header.count = piecesOf(packet.length, maxDatagramBytes);
    const pieceBytes = Math.ceil(header.totalBytes / header.count);
    let at = 0;
    for (header.index = 0; header.index < header.count; header.index += 1) {
      const start = DATA_HEADER_BYTES + header.index * pieceBytes;
      const piece = packet.subarray(start, start + pieceBytes);
      at = writePieceHeader(this.#buffer, at, packet, header);
      this.#buffer.set(piece, at);
      at += piece.length;
    }
    this.#datagramBytes = PIECE_HEADER_BYTES + pieceBytes;
    this.#at = this.#datagramBytes;
    this.#end = at;
    this.to = to;
    return this.#buffer.subarray(0, this.#at);
  }

  /** The next piece; undefined if all are out. */
  next(): Uint8Array | undefined {
    if (this.#at >= this.#end) return undefined;
    const start = this.#at;
    this.#at += this.#datagramBytes;
    return this.#buffer.subarray(start, Math.min(this.#at, this.#end));
  }
}

/** A packet of which some pieces have come. */
interface PartialPacket {
  readonly packetNumber: number;
  readonly count: number;
  /** The packet's header, and after it the pieces where they belong. */
  readonly bytes: Uint8Array;
  /** A bit for each piece that has come. */
  present: number;
  missing: number;
}

/** Puts the packets of one connection together again. */
export class PieceAssembly {
  /** The bytes of all pieces of the packet that was completed last. */
  receivedBytes = 0;
  /** In the order in which their first pieces came. */
  readonly #partial: PartialPacket[] = [];

  /** Packets of which some pieces have come. */
  get partialPackets(): number {
    return this.#partial.length;
  }

  /**
   * Takes a piece of the packet `packetNumber`; answers the packet, sealed as it was, once all its
   * pieces have come. What cannot be a piece of it is dropped.
   */
  handle(piece: Uint8Array, packetNumber: number): Uint8Array | undefined {
    if (!readPieceHeader(piece, header)) return undefined;
    const { index, count, totalBytes } = header;
    if (count > MAX_PIECES || totalBytes > MAX_SPLIT_BYTES) return undefined;
    const pieceBytes = Math.ceil(totalBytes / count);
    const start = index * pieceBytes;
    const length = Math.min(pieceBytes, totalBytes - start);
    if (piece.length !== PIECE_HEADER_BYTES + length) return undefined;
    const packet = this.#find(packetNumber) ?? this.#begin(piece, packetNumber);
    const bit = 1 << index;
    const fits = packet.count === count && packet.bytes.length === DATA_HEADER_BYTES + totalBytes;
    if (!fits || (packet.present & bit) !== 0) return undefined;
    packet.present |= bit;
    packet.missing -= 1;
    packet.bytes.set(piece.subarray(PIECE_HEADER_BYTES), DATA_HEADER_BYTES + start);
    if (packet.missing > 0) return undefined;
    this.#partial.splice(this.#partial.indexOf(packet), 1);
    this.receivedBytes = totalBytes + count * PIECE_HEADER_BYTES;
    return packet.bytes;
  }

  #find(packetNumber: number): PartialPacket | undefined {
    for (const known of this.#partial) if (known.packetNumber === packetNumber) return known;
    return undefined;
  }

  /** Begins the packet whose piece's header was read last. */
  #begin(piece: Uint8Array, packetNumber: number): PartialPacket {
    // The oldest has most likely lost a piece: what it carried comes again under another number.
    if (this.#partial.length >= MAX_PARTIAL_PACKETS) this.#partial.shift();
    const { count, totalBytes } = header;
    const bytes = new Uint8Array(DATA_HEADER_BYTES + totalBytes);
    writeHeaderOfPiece(bytes, piece);
    const packet = { packetNumber, count, bytes, present: 0, missing: count };
    this.#partial.push(packet);
    return packet;
  }
}
