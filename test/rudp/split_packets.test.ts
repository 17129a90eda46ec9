import { expect } from 'chai';
import { MAX_PARTIAL_PACKETS, MAX_PIECES } from '../../rudp/limits.ts';
import {
  PACKET,
  packetNumberOf,
  PIECE_HEADER_BYTES,
  writeDataHeader,
} from '../../rudp/packet_codec.ts';
import {
  Flight,
  packetBytesOf,
  PieceAllowance,
  PieceAssembly,
  piecesOf,
} from '../../rudp/split_packets.ts';
import { Prng } from '../sim/prng.ts';
import { CLIENT, SERVER, SimulatedPair, underSeeds } from './simulated_pair.ts';

const DATAGRAM = 1_200;
const PLENTY = 1e9;

/** A packet with number `packetNumber`, sealed or not: pieces do not look inside. */
const packetOf = (packetNumber: number, sizeBytes: number, phase = 0): Uint8Array => {
  const packet = new Prng(packetNumber + 1).bytes(sizeBytes);
  writeDataHeader(packet, 77, packetNumber);
  packet[0] = PACKET.data + phase;
  return packet;
};

const cut = (packet: Uint8Array): Uint8Array[] => {
  const flight = new Flight();
  const pieces = [flight.load(packet, DATAGRAM, CLIENT).slice()];
  for (let next = flight.next(); next !== undefined; next = flight.next()) {
    pieces.push(next.slice());
  }
  return pieces;
};

const assemble = (assembly: PieceAssembly, pieces: readonly Uint8Array[]): Uint8Array[] =>
  pieces.flatMap((piece) => assembly.handle(piece, packetNumberOf(piece, 0)) ?? []);

describe('packets in pieces', () => {
  it('are cut into as few datagrams of equal size as can be, and put together in any order', () => {
    const prng = new Prng(1);
    for (let size = DATAGRAM + 1; size <= packetBytesOf(MAX_PIECES, DATAGRAM); size += 997) {
      const packet = packetOf(size, size, size % 2);
      const pieces = cut(packet);
      expect(pieces.length).to.equal(piecesOf(size, DATAGRAM));
      expect(pieces.length).to.equal(
        Math.ceil((size - 13) / (DATAGRAM - PIECE_HEADER_BYTES)),
        `${size}`,
      );
      const [first] = pieces;
      for (const piece of pieces.slice(0, -1)) expect(piece.length).to.equal(first?.length);
      expect(first?.length).to.be.at.most(DATAGRAM);
      const assembly = new PieceAssembly();
      const shuffled = [...pieces].sort(() => prng.next() - 0.5);
      expect(assemble(assembly, shuffled)).to.deep.equal([packet]);
      expect(assembly.partialPackets).to.equal(0);
    }
  });

  it('fill their datagrams to the last byte where they may', () => {
    const pieces = cut(packetOf(5, packetBytesOf(4, DATAGRAM)));
    expect(pieces.map((piece) => piece.length)).to.deep.equal([
      DATAGRAM,
      DATAGRAM,
      DATAGRAM,
      DATAGRAM,
    ]);
  });

  it('are not begun by what cannot be a piece, nor finished by a repeated one', () => {
    const [first, second] = cut(packetOf(9, 2_000));
    if (first === undefined || second === undefined) throw new Error('there are two pieces');
    const broken = (change: (bytes: Uint8Array) => void): Uint8Array => {
      const bytes = first.slice();
      change(bytes);
      return bytes;
    };
    const assembly = new PieceAssembly();
    const wrong = [
      first.subarray(0, PIECE_HEADER_BYTES),
      first.subarray(0, -1),
      broken((bytes) => (bytes[13] = 2)),
      broken((bytes) => (bytes[14] = MAX_PIECES + 1)),
      broken((bytes) => (bytes[14] = 0)),
      broken((bytes) => bytes.fill(0xff, 15, 17)),
    ];
    expect(assemble(assembly, wrong)).to.deep.equal([]);
    expect(assembly.partialPackets).to.equal(0);
    expect(assemble(assembly, [first, first, first])).to.deep.equal([]);
    expect(assembly.partialPackets).to.equal(1);
    const ofAnother = cut(packetOf(9, 3_000))[1] ?? second;
    expect(assemble(assembly, [ofAnother])).to.deep.equal([]);
    expect(assemble(assembly, [second])).to.deep.equal([packetOf(9, 2_000)]);
  });

  it('give up the packet begun longest ago when too many are incomplete', () => {
    const assembly = new PieceAssembly();
    const packets = Array.from({ length: MAX_PARTIAL_PACKETS + 1 }, (_, at) =>
      cut(packetOf(at, 2_000)),
    );
    assemble(
      assembly,
      packets.map(([first]) => first ?? new Uint8Array(0)),
    );
    expect(assembly.partialPackets).to.equal(MAX_PARTIAL_PACKETS);
    const seconds = packets.map(([, second]) => second ?? new Uint8Array(0));
    expect(assemble(assembly, seconds.slice(1)).length).to.equal(MAX_PARTIAL_PACKETS);
    expect(assemble(assembly, seconds.slice(0, 1))).to.deep.equal([]);
  });

  it('are the more the longer nothing was lost, within the rate and the window', () => {
    const allowance = new PieceAllowance();
    expect(allowance.pieces(DATAGRAM, PLENTY, PLENTY)).to.equal(1);
    allowance.onAcked(640);
    expect(allowance.pieces(DATAGRAM, PLENTY, PLENTY)).to.equal(11);
    expect(allowance.pieces(DATAGRAM, PLENTY, 3.5 * DATAGRAM)).to.equal(3);
    expect(allowance.pieces(DATAGRAM, DATAGRAM, PLENTY)).to.equal(1);
    allowance.onAcked(PLENTY);
    expect(allowance.pieces(DATAGRAM, PLENTY, PLENTY)).to.equal(MAX_PIECES);
    expect(allowance.pieces(32 * 1024, PLENTY, PLENTY)).to.equal(1);
    allowance.onLost();
    expect(allowance.pieces(DATAGRAM, PLENTY, PLENTY)).to.equal(1);
  });
});

/** Sends 2 MB; answers the part of the datagrams that were pieces. */
const partInPieces = (pair: SimulatedPair): number => {
  let datagrams = 0;
  let pieces = 0;
  const handle = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
  pair.server.endpoint.handleDatagram = (from, bytes, now) => {
    datagrams += 1;
    if (bytes[0] === PACKET.piece) pieces += 1;
    handle(from, bytes, now);
  };
  const before = pair.server.of('message').length;
  for (let count = 0; count < 32; count += 1) pair.send(new Prng(count).bytes(65_536));
  pair.runUntil(() => pair.server.of('message').length === before + 32, 'all messages');
  pair.server
    .of('message')
    .slice(before)
    .forEach(({ message }, count) => {
      expect(Buffer.compare(message, new Prng(count).bytes(65_536)), `message ${count}`).to.equal(
        0,
      );
    });
  return pieces / datagrams;
};

describe('a connection', () => {
  it('sends packets in pieces on a fast clean path, in one where packets get lost', () => {
    underSeeds([1, 2], (seed) => {
      const clean = new SimulatedPair(seed, { delayMs: 0.2 });
      clean.connect();
      expect(partInPieces(clean)).to.be.greaterThan(0.7);
      const lossy = new SimulatedPair(seed, { delayMs: 0.2, loss: 0.03 });
      lossy.connect();
      expect(partInPieces(lossy)).to.be.lessThan(0.2);
    });
  });

  it('delivers everything although somebody spoils its packets with false pieces', () => {
    const pair = new SimulatedPair(3, { delayMs: 0.2 });
    pair.connect();
    partInPieces(pair);
    let spoilt = 0;
    const handle = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
    pair.server.endpoint.handleDatagram = (from, bytes, now) => {
      if (bytes[0] === PACKET.piece && spoilt < 50) {
        const forged = bytes.slice();
        forged[PIECE_HEADER_BYTES + 3] = (forged[PIECE_HEADER_BYTES + 3] ?? 0) ^ 1;
        handle(CLIENT, forged, now);
        handle(SERVER, forged, now);
        spoilt += 1;
      }
      handle(from, bytes, now);
    };
    partInPieces(pair);
    expect(spoilt).to.equal(50);
    expect(pair.server.endpoint.stats(pair.server.connection).corruptPackets).to.be.greaterThan(0);
    expect(pair.server.of('closed')).to.deep.equal([]);
  });

  it('says in a datagram of its own that it closes', () => {
    const pair = new SimulatedPair(4, { delayMs: 0.2 });
    pair.connect();
    partInPieces(pair);
    for (let count = 0; count < 16; count += 1) pair.send(new Uint8Array(65_536));
    const { endpoint, connection } = pair.client;
    let last = endpoint.pollTransmit(pair.now)?.bytes[0];
    for (let tries = 0; last !== PACKET.piece && tries < 100; tries += 1) {
      pair.step();
      last = endpoint.pollTransmit(pair.now)?.bytes[0];
    }
    expect(last).to.equal(PACKET.piece);
    endpoint.close(connection, 0x100, 'enough', pair.now);
    const types: number[] = [];
    for (let next = endpoint.pollTransmit(pair.now); next; next = endpoint.pollTransmit(pair.now)) {
      types.push(next.bytes[0] ?? 0);
    }
    expect(types.at(-1)).to.equal(PACKET.data);
  });
});
