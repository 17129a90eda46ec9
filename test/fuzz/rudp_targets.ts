/** The decoders of rudp: what datagrams and key files are made of. */

import { ByteReader } from '../../rudp/byte_reader.ts';
import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { createDial, followRetry, readWelcome } from '../../rudp/dial.ts';
import { RudpError } from '../../rudp/errors.ts';
import {
  blankMessageFrame,
  isMessageFrame,
  MESSAGE_BITS,
  messageHeaderBytes,
  readAck,
  readClose,
  readMessageFrame,
  writeAck,
  writeClose,
  writeMessageHeader,
  type AckFrame,
} from '../../rudp/frame_codec.ts';
import { decodeIntroduction, encodeIntroduction } from '../../rudp/handshake_codec.ts';
import { parseKeys } from '../../rudp/key_file.ts';
import {
  MAX_ACK_FRAME_RANGES,
  MAX_KEYS,
  MAX_NAME_BYTES,
  MAX_QLOG_FRAMES,
  MAX_REASON_BYTES,
  VERSION,
} from '../../rudp/limits.ts';
import { createNoiseProtection } from '../../rudp/noise_protection.ts';
import { resolveOptions } from '../../rudp/options.ts';
import {
  connectionIdOf,
  DATA_HEADER_BYTES,
  decodeHello,
  encodeHello,
  packetNumberOf,
  welcomeHeader,
  writeDataHeader,
} from '../../rudp/packet_codec.ts';
import { describeFrames } from '../../rudp/qlog_frames.ts';
import { RangeSet } from '../../rudp/range_set.ts';
import { Requests } from '../../rudp/requests.ts';
import { StatelessAnswers } from '../../rudp/stateless.ts';
import { varintBytes, writeUint53, writeVarint } from '../../rudp/varint.ts';
import { MAX_INPUT_BYTES } from './mutator.ts';
import { bytesOf, decodeOrRefuse, expectRoundTrip, textOf, type FuzzTarget } from './target.ts';

const KEY = new Uint8Array(32).fill(7);
/** Times travel in microseconds: above, a double of milliseconds no longer holds each of them. */
const EXACT_MS = 2 ** 40;

const scratch = new Uint8Array(2 * MAX_INPUT_BYTES);

/** What `write` writes to a buffer; it lives until the next call. */
const written = (write: (buffer: Uint8Array) => number): Uint8Array =>
  scratch.subarray(0, write(scratch));

const sampleOf = (write: (buffer: Uint8Array) => number): Uint8Array => written(write).slice();

const varint: FuzzTarget = {
  name: 'varint',
  share: 12,
  samples: [0, 63, 64, 16_383, 16_384, 2 ** 30, 2 ** 53 - 1].map((value) =>
    sampleOf((buffer) => writeVarint(buffer, 0, value)),
  ),
  run(input) {
    const reader = new ByteReader(input);
    const value = reader.varint();
    if (reader.failed()) return false;
    const bytes = written((buffer) => writeVarint(buffer, 0, value));
    expectRoundTrip(value, new ByteReader(bytes).varint());
    expectRoundTrip(bytes.length, varintBytes(value));
    const fixed = new ByteReader(input).uint53();
    const eight = written((buffer) => writeUint53(buffer, 0, fixed));
    expectRoundTrip(fixed, new ByteReader(eight).uint53());
    return true;
  },
};

const rangesOf = (...bounds: readonly (readonly [number, number])[]): RangeSet => {
  const ranges = new RangeSet();
  for (const [start, end] of bounds) ranges.add(start, end);
  return ranges;
};

const ack: FuzzTarget = {
  name: 'ack frame',
  share: 8,
  samples: [
    rangesOf([0, 1]),
    rangesOf([0, 5], [7, 9], [70, 20_000]),
    rangesOf(...Array.from({ length: 60 }, (_, at) => [at * 300, at * 300 + 5] as const)),
  ].map((ranges) => sampleOf((buffer) => writeAck(buffer, 0, 4_096, ranges, 1.5)).subarray(1)),
  run(input) {
    const first: AckFrame = { ackDelayMs: 0, bounds: [] };
    if (!readAck(new ByteReader(input), first)) return false;
    const ranges = new RangeSet();
    for (let at = first.bounds.length - 2; at >= 0; at -= 2) {
      ranges.add(first.bounds[at] ?? 0, first.bounds[at + 1] ?? 0);
    }
    if (ranges.count > MAX_ACK_FRAME_RANGES) throw new Error(`${ranges.count} ranges`);
    const delay = Math.min(first.ackDelayMs, EXACT_MS);
    const bytes = written((buffer) => writeAck(buffer, 0, 4_096, ranges, delay));
    const again: AckFrame = { ackDelayMs: 0, bounds: [] };
    expectRoundTrip(true, readAck(new ByteReader(bytes, 1), again));
    expectRoundTrip({ ...first, ackDelayMs: delay }, again);
    return true;
  },
};

const messageSample = (bits: number, ordered: boolean, payload: number): Uint8Array => {
  const header = {
    id: 70,
    channelNumber: 3,
    ordered,
    predecessor: ordered ? 69 : 0,
    totalBytes: 90,
  };
  return sampleOf((buffer) => {
    let at = writeMessageHeader(buffer, 0, header, bits);
    if (bits === MESSAGE_BITS.fragment) {
      at = writeVarint(buffer, writeVarint(buffer, at, 20), payload);
    }
    return at + payload;
  });
};

const message: FuzzTarget = {
  name: 'message frame',
  share: 10,
  samples: [
    messageSample(0, true, 90),
    messageSample(0, false, 90),
    messageSample(MESSAGE_BITS.fragment, true, 30),
    messageSample(MESSAGE_BITS.fragment, false, 70),
    messageSample(MESSAGE_BITS.abandoned, true, 0),
    messageSample(MESSAGE_BITS.abandoned, false, 0),
  ],
  run(input) {
    const type = input[0] ?? 0;
    if (!isMessageFrame(type)) return false;
    const first = blankMessageFrame();
    const reader = new ByteReader(input, 1);
    if (!readMessageFrame(reader, type, first)) return false;
    if (reader.offset > input.length) throw new Error('read beyond the end');
    const bits = type & (MESSAGE_BITS.fragment | MESSAGE_BITS.abandoned);
    let headerBytes = 0;
    const bytes = written((buffer) => {
      let at = writeMessageHeader(buffer, 0, first, bits);
      headerBytes = at;
      if (bits === MESSAGE_BITS.fragment) {
        at = writeVarint(buffer, writeVarint(buffer, at, first.offset), first.length);
      }
      return at + first.length;
    });
    expectRoundTrip(messageHeaderBytes(first), headerBytes);
    const again = blankMessageFrame();
    expectRoundTrip(true, readMessageFrame(new ByteReader(bytes, 1), bytes[0] ?? 0, again));
    expectRoundTrip({ ...first, payloadAt: 0 }, { ...again, payloadAt: 0 });
    return true;
  },
};

const close: FuzzTarget = {
  name: 'close frame',
  share: 5,
  samples: ['', 'why', 'ü'.repeat(100)].map((reason) =>
    sampleOf((buffer) => writeClose(buffer, 0, 0x1234, reason)).subarray(1),
  ),
  run(input) {
    const first = readClose(new ByteReader(input));
    if (first === undefined) return false;
    // A byte that is no UTF-8 becomes three, so that what came may be too long to be sent.
    if (bytesOf(first.reason).length > MAX_REASON_BYTES) return true;
    const bytes = written((buffer) => writeClose(buffer, 0, first.code, first.reason));
    expectRoundTrip(first, readClose(new ByteReader(bytes, 1)));
    return true;
  },
};

const frames: FuzzTarget = {
  name: 'frames of a packet',
  share: 6,
  samples: [
    Uint8Array.from([1, 0, 0, 0, 3, 0x44, 0x00]),
    ...ack.samples.map((bytes) => Uint8Array.from([2, ...bytes])),
    ...message.samples,
    ...close.samples.map((bytes) => Uint8Array.from([1, 4, ...bytes])),
  ],
  run(input) {
    const described = describeFrames(input);
    if (described.length > MAX_QLOG_FRAMES + 1) throw new Error(`${described.length} frames`);
    JSON.stringify(described);
    return described.at(-1)?.frame_type !== 'unknown';
  },
};

const hello: FuzzTarget = {
  name: 'hello',
  share: 2,
  samples: [
    encodeHello(77, new Uint8Array(0), new Uint8Array(60)),
    encodeHello(2 ** 53 - 1, new Uint8Array(20).fill(3), new Uint8Array(100).fill(9)),
    encodeHello(1, new Uint8Array(20).fill(3), new Uint8Array(2_000)),
  ],
  run(input) {
    const first = decodeHello(input);
    if (first === undefined || first.version !== VERSION) return false;
    const bytes = encodeHello(first.clientId, first.cookie, first.message);
    expectRoundTrip(first, decodeHello(bytes));
    expectRoundTrip(first.clientId, connectionIdOf(bytes));
    return true;
  },
};

const INTRODUCTION = {
  name: 'node',
  incarnation: 1_700_000_000_000,
  maxDatagramBytes: 32_768,
  idleTimeoutMs: 10_000,
  maxAckDelayMs: 5,
  maxMessageBytes: 16_777_216,
  maxChannels: 4_096,
  connectionWindowBytes: 33_554_432,
  channelWindowBytes: 8_388_608,
};

const introduction: FuzzTarget = {
  name: 'introduction',
  share: 6,
  samples: [INTRODUCTION, { ...INTRODUCTION, name: '', maxDatagramBytes: 1_200 }].map(
    encodeIntroduction,
  ),
  run(input) {
    const first = decodeIntroduction(new ByteReader(input));
    if (first === undefined) return false;
    if (bytesOf(first.name).length > MAX_NAME_BYTES) return true;
    if (Math.max(first.idleTimeoutMs, first.maxAckDelayMs) > EXACT_MS) return true;
    expectRoundTrip(first, decodeIntroduction(new ByteReader(encodeIntroduction(first))));
    return true;
  },
};

const OPTIONS = resolveOptions({
  name: 'fuzzed',
  incarnation: 1,
  protection: createChecksumProtection(),
  random: () => 0.5,
});

/** What a client takes before it has a connection; the checksum of the welcome is made right. */
const answers: FuzzTarget = {
  name: 'retry, welcome, refusal, reset',
  share: 3,
  samples: [
    new Uint8Array(20),
    encodeIntroduction(INTRODUCTION),
    new Uint8Array(27),
    new Uint8Array(25),
  ],
  run(input) {
    const counters = {
      datagramsReceived: 0,
      datagramsDropped: 0,
      retriesSent: 0,
      refusesSent: 0,
      resetsSent: 0,
    };
    const { protection } = OPTIONS;
    const stateless = new StatelessAnswers(protection, 'fuzzed', counters);
    const dial = createDial(1, '10.0.0.1:1', 77, OPTIONS, 0);
    followRetry(dial, input, 1);
    if (dial.cookie.length > 255) throw new Error(`a cookie of ${dial.cookie.length} bytes`);
    stateless.readRefuse(input);
    stateless.isReset(input, 5, 'peer');
    stateless.isOurCookie(input, '10.0.0.1:1', 77, 20_000);
    readWelcome(dial, input);
    const header = welcomeHeader(77, 1 + (input[0] ?? 0));
    const sealed = protection.initiator().write(input, header);
    return readWelcome(dial, Uint8Array.from([...header, ...sealed])) !== undefined;
  },
};

/** Sealed by one side; opened by the other, changed or not. */
const sealedPackets = (name: string, share: number, protection: 'plain' | 'keys'): FuzzTarget => {
  const endpoint =
    protection === 'plain' ? createChecksumProtection() : createNoiseProtection({ keys: [KEY] });
  const [client, server] = [endpoint.initiator(), endpoint.responder()];
  const bound = new Uint8Array(14);
  server.read(client.write(new Uint8Array(10), bound), bound);
  client.read(server.write(new Uint8Array(10), bound), bound);
  const [sealing, opening] = [client.packets(), server.packets()];
  const samples = [1, 40, 1_000].map((payload, number) => {
    const buffer = new Uint8Array(1_200).fill(1);
    const header = writeDataHeader(buffer, 99, number);
    return buffer.subarray(0, sealing.seal(buffer, header, header + payload, number));
  });
  const originals = new Set(samples.map((sample) => Buffer.from(sample).toString('latin1')));
  return {
    name,
    share,
    samples,
    run(input) {
      if (input.length < DATA_HEADER_BYTES) return false;
      const opened = opening.open(input, DATA_HEADER_BYTES, packetNumberOf(input, 5));
      if (opened === undefined) return false;
      // A checksum of four bytes can be met by chance; a key cannot.
      const known = originals.has(Buffer.from(input).toString('latin1'));
      if (protection === 'keys' && !known) throw new Error('a changed packet was opened');
      return known;
    },
  };
};

/** Each costs an agreement of keys, so there are few. */
const noise = (): FuzzTarget => {
  const protection = createNoiseProtection({ keys: [KEY] });
  const bound = new Uint8Array(14);
  return {
    name: 'noise handshake',
    share: 0.02,
    samples: [protection.initiator().write(new Uint8Array(40), bound)],
    run: (input) => protection.responder().read(input, bound) !== undefined,
  };
};

const response: FuzzTarget = {
  name: 'response',
  share: 3,
  samples: [Uint8Array.from([0, 1, 2, 3]), Uint8Array.from([1, 110, 111])],
  run(input) {
    let settled = 0;
    const requests = new Requests(true);
    const settle = (): void => {
      settled += 1;
    };
    requests.settle(requests.begin({ resolve: settle, reject: settle }), input);
    if (settled !== 1 || requests.open !== 0) throw new Error(`settled ${settled} times`);
    return true;
  },
};

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const keyFile: FuzzTarget = {
  name: 'key file',
  share: 5,
  samples: [
    bytesOf(`${hexOf(KEY)}\n`),
    bytesOf(`# the keys\n\n${hexOf(KEY)}\r\n  ${hexOf(KEY).toUpperCase()}  \n`),
  ],
  run(input) {
    const text = textOf(input);
    const keys = decodeOrRefuse(
      () => parseKeys(text, 'k'),
      (error) => error instanceof RudpError && error.code === 'invalid',
    );
    if (keys === undefined) return false;
    if (keys.length > MAX_KEYS || keys.some(({ length }) => length !== KEY.length)) {
      throw new Error(`keys of ${keys.map(({ length }) => length).join(', ')} bytes`);
    }
    expectRoundTrip(keys, parseKeys(keys.map(hexOf).join('\n'), 'k'));
    return true;
  },
};

export const rudpTargets = (): FuzzTarget[] => [
  varint,
  ack,
  message,
  close,
  frames,
  hello,
  introduction,
  answers,
  sealedPackets('plain packet', 3, 'plain'),
  sealedPackets('encrypted packet', 1, 'keys'),
  noise(),
  response,
  keyFile,
];
