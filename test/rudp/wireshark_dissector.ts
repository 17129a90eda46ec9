/**
 * The Wireshark dissector against our own codec: both read the same recorded datagrams. The capture
 * is a file, so that nothing has to be captured. `npm run test:dissector` runs it, npm test does not;
 * it is skipped where there is no tshark.
 */

import { expect } from 'chai';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMessageFrame, MESSAGE_BITS } from '../../rudp/frame_codec.ts';
import { createNoiseProtection } from '../../rudp/noise_protection.ts';
import { connectionIdOf, DATA_HEADER_BYTES, PACKET } from '../../rudp/packet_codec.ts';
import { describeFrames, type QlogFrame } from '../../rudp/qlog_frames.ts';
import { encodePcap, type Captured } from './pcap.ts';
import { CLIENT, SERVER, SimulatedPair } from './simulated_pair.ts';

const DISSECTOR = fileURLToPath(new URL('../../rudp/wireshark/rudp.lua', import.meta.url));
const CHECKSUM_BYTES = 4;

const FIELDS = [
  'type',
  'id',
  'number',
  'frame',
  'message.id',
  'message.channel',
  'message.offset',
  'message.length',
  'message.total',
  'ack.first',
  'ack.last',
  'ack.delay',
  'max_data',
  'code',
  'reason',
  'name',
  'cookie',
  'encrypted',
  'malformed',
] as const;

/** What tshark says of one datagram: the values of each field, in the order of the packet. */
type Dissected = Readonly<Record<(typeof FIELDS)[number], readonly string[]>>;

const dissect = (datagrams: readonly Captured[], ...more: readonly string[]): Dissected[] => {
  const dir = mkdtempSync(join(tmpdir(), 'rudp-pcap-'));
  try {
    const capture = join(dir, 'capture.pcap');
    writeFileSync(capture, encodePcap(datagrams));
    const fields = FIELDS.flatMap((field) => ['-e', `crudp.${field}`]);
    const args = ['-r', capture, '-X', `lua_script:${DISSECTOR}`, '-T', 'fields', ...fields];
    const separators = ['-E', 'separator=|', '-E', 'aggregator=;'];
    const { stdout, stderr } = spawnSync('tshark', [...args, ...separators, ...more], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    expect(stderr, 'what tshark complains of').to.not.match(/lua|error/i);
    const lines = stdout.split('\n').slice(0, -1);
    return lines.map((line) => {
      const values = line.split('|').map((value) => (value === '' ? [] : value.split(';')));
      return Object.fromEntries(
        FIELDS.map((field, at) => [field, values[at] ?? []]),
      ) as unknown as Dissected;
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
};

/** Records what both nodes of a pair get from here on. */
const record = (pair: SimulatedPair): Captured[] => {
  const captured: Captured[] = [];
  for (const node of pair.nodes) {
    const handle = node.endpoint.handleDatagram.bind(node.endpoint);
    node.endpoint.handleDatagram = (from, bytes, now) => {
      captured.push({ from, to: node.address, bytes: bytes.slice(), at: now });
      handle(from, bytes, now);
    };
  }
  return captured;
};

/** A connection with everything in it: fragments, gaps, acknowledgements of many ranges, a close. */
const conversation = (pair: SimulatedPair): Captured[] => {
  const captured = record(pair);
  pair.connect();
  for (let count = 0; count < 60; count += 1) {
    pair.send(new Uint8Array(count % 9 === 0 ? 9_000 : count * 7).fill(count), count % 4);
    if (count % 20 === 0) {
      const { endpoint, connection } = pair.client;
      for (const ordered of [true, false]) {
        const options = { channel: 9, ordered, deadlineMs: 4 };
        endpoint.send(connection, new Uint8Array(300), options, pair.now);
      }
    }
    if (count % 2 === 0) {
      const { endpoint, connection } = pair.server;
      endpoint.send(connection, new Uint8Array(40), { channel: 0x8000_0001 }, pair.now);
    }
    pair.runFor(1);
  }
  pair.runFor(3_000);
  pair.network.setDefaults({ loss: 0 });
  pair.client.endpoint.close(pair.client.connection, 0x1234, 'that was all', pair.now);
  pair.runFor(100);
  return captured;
};

/** The frames of a plain data packet as the dissector ought to show them. */
const expectedFrames = (frames: readonly QlogFrame[]) => {
  const shown = { message: [] as string[], first: [] as string[], last: [] as string[] };
  const closes: string[] = [];
  for (const frame of frames) {
    if (frame.frame_type === 'stream' || frame.frame_type === 'reset_stream') {
      shown.message.push(`${frame.stream_id}/${frame.channel}`);
    } else if (frame.frame_type === 'ack') {
      for (const [first, last = first] of frame.acked_ranges) {
        shown.first.push(String(first));
        shown.last.push(String(last));
      }
    } else if (frame.frame_type === 'connection_close') {
      closes.push(`${frame.error_code} ${frame.reason}`);
    }
  }
  return { ...shown, closes };
};

const expectSame = (captured: Captured, shown: Dissected): void => {
  const { bytes } = captured;
  expect(shown.type).to.eql([String(bytes[0])]);
  expect(Number(shown.id[0])).to.equal(connectionIdOf(bytes));
  expect(shown.malformed).to.eql([]);
};

describe('the Wireshark dissector', function () {
  this.timeout(60_000);

  before(function () {
    try {
      execFileSync('tshark', ['--version'], { stdio: 'ignore' });
    } catch {
      console.log('      skipped: there is no tshark (Debian: apt-get install tshark)');
      this.skip();
    }
  });

  it('shows every frame of a connection without encryption', () => {
    const pair = new SimulatedPair(5, { delayMs: 3, loss: 0.2, reorder: 0.1 });
    const captured = conversation(pair);
    const shown = dissect(captured);
    expect(shown.length).to.equal(captured.length);
    const seen = { frames: 0, ranges: 0, fragments: 0, closes: 0, abandoned: 0 };
    for (const [index, each] of captured.entries()) {
      const fields = shown[index]!;
      expectSame(each, fields);
      if (each.bytes[0] !== PACKET.data) continue;
      const payload = each.bytes.subarray(DATA_HEADER_BYTES, each.bytes.length - CHECKSUM_BYTES);
      const frames = describeFrames(payload);
      const expected = expectedFrames(frames);
      expect(fields.number).to.eql([String(new DataView(each.bytes.buffer).getUint32(9))]);
      expect(fields.frame.length).to.equal(frames.length);
      const messages = fields['message.id'].map(
        (id, at) => `${id}/${fields['message.channel'][at]}`,
      );
      expect(messages).to.eql(expected.message);
      expect(fields['ack.first']).to.eql(expected.first);
      expect(fields['ack.last']).to.eql(expected.last);
      expect(fields.code.map((code, at) => `${code} ${fields.reason[at]}`)).to.eql(expected.closes);
      seen.frames += frames.length;
      seen.ranges = Math.max(seen.ranges, expected.first.length);
      seen.fragments += fields['message.offset'].length;
      seen.closes += expected.closes.length;
      seen.abandoned += frames.filter((one) => one.frame_type === 'reset_stream').length;
    }
    expect(seen.frames).to.be.greaterThan(200);
    expect(seen.ranges).to.be.greaterThan(2);
    expect(seen.fragments).to.be.greaterThan(20);
    expect(seen.closes).to.equal(1);
    expect(seen.abandoned).to.be.greaterThan(2);
  });

  it('shows the handshake, and the names in it where it is not encrypted', () => {
    const plain = conversation(new SimulatedPair(1));
    const shown = dissect(plain);
    const of = (type: number): Dissected[] => shown.filter(({ type: [t] }) => t === String(type));
    expect(of(PACKET.hello).map(({ cookie, name }) => [cookie.length, name[0]])).to.eql([
      [0, 'client'],
      [1, 'client'],
    ]);
    expect(of(PACKET.retry)[0]?.cookie[0]).to.have.length(40);
    expect(of(PACKET.welcome)[0]?.name).to.eql(['server']);
  });

  it('shows headers alone of an encrypted connection, also after its handshake', () => {
    const protection = createNoiseProtection({ keys: [new Uint8Array(32)] });
    const options = { protection, keyUpdatePackets: 20 };
    const pair = new SimulatedPair(1, {}, { client: options, server: options });
    const captured = conversation(pair);
    const shown = dissect(captured);
    const types = new Set<string>();
    for (const [index, each] of captured.entries()) {
      const fields = shown[index]!;
      expectSame(each, fields);
      types.add(fields.type[0]!);
      expect(fields.frame).to.eql([]);
      expect(fields.name).to.eql([]);
      const isData = each.bytes[0] === PACKET.data || each.bytes[0] === PACKET.dataOddPhase;
      const isPiece = each.bytes[0]! > PACKET.dataOddPhase;
      if (!isPiece) expect(fields.encrypted.length).to.equal(isData ? 1 : 0);
    }
    expect([...types]).to.include.members(['1', '2', '3', '6', '7']);
  });

  it('has to be told of an encrypted connection whose handshake was not captured', () => {
    const protection = createNoiseProtection({ keys: [new Uint8Array(32)] });
    const pair = new SimulatedPair(1, {}, { client: { protection }, server: { protection } });
    const later = conversation(pair).filter(({ bytes }) => bytes[0] === PACKET.data);
    expect(dissect(later).flatMap(({ type }) => type)).to.eql([]);
    const told = dissect(later, '-d', 'udp.port==2000,crudp');
    expect(told.map(({ type }) => type[0])).to.eql(later.map(() => String(PACKET.data)));
  });

  it('puts packets together that travel in pieces, and shows all of their frames', () => {
    const options = { maxDatagramBytes: 9_000, connectionWindowBytes: 20_000_000 };
    const pair = new SimulatedPair(1, { delayMs: 0.2 }, { client: options, server: options });
    const captured = record(pair);
    pair.connect();
    for (let count = 0; count < 40; count += 1) {
      for (let each = 0; each < 10; each += 1) pair.send(new Uint8Array(50_000), 1);
      pair.runFor(20);
    }
    pair.runFor(2_000);
    expect(pair.server.of('message').length).to.equal(400);
    const shown = dissect(captured);
    const pieces = captured.filter(({ bytes }) => bytes[0] === PACKET.piece);
    expect(pieces.length).to.be.greaterThan(20);
    let bytes = 0;
    for (const [index, each] of captured.entries()) {
      const fields = shown[index]!;
      expectSame(each, fields);
      if (each.to !== SERVER) continue;
      const kinds = fields.frame.map(Number).filter(isMessageFrame);
      const fragments = [...fields['message.length']];
      for (const [at, kind] of kinds.entries()) {
        const isFragment = (kind & MESSAGE_BITS.fragment) !== 0;
        bytes += Number(isFragment ? fragments.shift() : fields['message.total'][at]);
      }
    }
    const { copiedBytes, retransmittedBytes } = pair.client.endpoint.stats(pair.client.connection);
    expect(copiedBytes + retransmittedBytes).to.equal(0);
    expect(bytes).to.equal(400 * 50_000);
  });

  it('shows refusals and resets', () => {
    const pair = new SimulatedPair(1, {}, { server: { accept: false } });
    const captured = record(pair);
    pair.client.endpoint.connect(SERVER, pair.now);
    pair.runFor(100);
    const stray = new Uint8Array(40).fill(6);
    stray.fill(0, 1, 3);
    pair.server.endpoint.handleDatagram(CLIENT, stray, pair.now);
    pair.runFor(100);
    const shown = dissect(captured);
    const refusal = shown.find(({ type }) => type[0] === String(PACKET.refuse));
    expect(refusal?.code).to.eql(['4']);
    expect(shown.at(-1)?.type).to.eql([String(PACKET.reset)]);
  });

  it('leaves datagrams of others alone', () => {
    const dns = { from: CLIENT, to: SERVER, bytes: new Uint8Array(60).fill(7), at: 0 };
    const short = { ...dns, bytes: Uint8Array.from([1, 0, 0]) };
    for (const { type } of dissect([dns, short])) expect(type).to.eql([]);
  });
});
