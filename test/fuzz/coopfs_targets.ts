/** The decoders of coopfs: messages, streams, request sets, addresses, and what lies on the disk. */

import fc from 'fast-check';
import * as value from '../../cli/option_values.ts';
import { ERRORS_LIMIT, parseRequestSet } from '../../cli/request_set.ts';
import {
  decodeAllocationEntry,
  encodeAllocationEntry,
} from '../../fileserver/disk/allocation_table.ts';
import {
  decodeRecord,
  encodeRecord,
  RECORD_HEADER_BYTES,
  sealRecord,
  type JournalItem,
} from '../../fileserver/disk/journal_record.ts';
import { scanJournal } from '../../fileserver/disk/journal_scan.ts';
import { computeLayout, SECTOR_BYTES, SUPERBLOCK_BYTES } from '../../fileserver/disk/layout.ts';
import { decodeNodeEntry, encodeNodeEntry } from '../../fileserver/disk/node_table.ts';
import { decodeSuperblock, encodeSuperblock } from '../../fileserver/disk/superblock.ts';
import { decode, encode } from '../../protocol/codec.ts';
import { crc32c } from '../../protocol/crc32c.ts';
import { FsError } from '../../protocol/errors.ts';
import { encodeFrame, FrameDecoder } from '../../protocol/framing.ts';
import type { ClientId, FileNumber, NodeId } from '../../protocol/ids.ts';
import { MESSAGE_TYPES, messageOfType } from '../protocol/samples.ts';
import { bytesOf, decodeOrRefuse, expectRoundTrip, textOf, type FuzzTarget } from './target.ts';

const isProtocolError = (error: unknown): boolean =>
  error instanceof FsError && error.code === 'EPROTO';

const SAMPLES_SEED = 1;
const encodedMessages = MESSAGE_TYPES.flatMap((type) =>
  fc.sample(messageOfType(type), { numRuns: 3, seed: SAMPLES_SEED }).map((each) => encode(each)),
);

const message: FuzzTarget = {
  name: 'message',
  share: 8,
  samples: encodedMessages,
  run(input) {
    const first = decodeOrRefuse(() => decode(input), isProtocolError);
    if (first === undefined) return false;
    expectRoundTrip(first, decode(encode(first)));
    return true;
  },
};

/** Frames in one piece, and the same in pieces whose sizes the stream itself tells. */
const framing: FuzzTarget = {
  name: 'framing',
  share: 6,
  samples: [
    Buffer.concat([encodeFrame(new Uint8Array(0)), encodeFrame(new Uint8Array(70).fill(5))]),
    Buffer.concat(encodedMessages.slice(0, 3).map(encodeFrame)),
  ],
  run(input) {
    const whole = decodeOrRefuse(() => new FrameDecoder().push(input), isProtocolError);
    const pieces = new FrameDecoder();
    const bodies = decodeOrRefuse(() => {
      const found: Uint8Array[] = [];
      for (let at = 0; at < input.length;) {
        const end = at + 1 + ((input[at] ?? 0) % 40);
        for (const body of pieces.push(input.subarray(at, end))) found.push(body.slice());
        at = end;
      }
      return found;
    }, isProtocolError);
    const same =
      whole?.every((body, at) => Buffer.compare(body, bodies?.[at] ?? body) === 0) ?? true;
    if (!same || whole?.length !== bodies?.length) throw new Error('chunks make other frames');
    return whole !== undefined && whole.length > 0;
  },
};

const requestSet: FuzzTarget = {
  name: 'request set',
  share: 4,
  samples: [
    'open 7 1\nwrite 7 hello from n1\nbarrier written\nclose 7\n',
    '# n3\r\nopen 7 0\nread 7 13\nexpect "hel\\n\\x41lo" # what was written\nexpect-error ENOENT\nsleep 20\n',
  ].map(bytesOf),
  run(input) {
    const set = parseRequestSet(textOf(input), 'set.txt');
    if (!set.ok && set.errors.length > ERRORS_LIMIT + 1) {
      throw new Error(`${set.errors.length} errors`);
    }
    return set.ok;
  },
};

const addresses: FuzzTarget = {
  name: 'address',
  share: 3,
  samples: ['127.0.0.1:7000', 'server.example:1', 'n1:65535', '[::1]:80'].map(bytesOf),
  run(input) {
    const text = textOf(input);
    const listen = value.listenAddress.safeParse(text);
    const remote = value.remoteAddress.safeParse(text);
    if (remote.success && !listen.success) throw new Error('a remote address nobody may listen on');
    if (!listen.success) return false;
    expectRoundTrip(listen.data, value.listenAddress.parse(value.formatHostPort(listen.data)));
    return true;
  },
};

const GEOMETRY = { files: 64, blockSizeBytes: 128, blocksPerFile: 8 };
const LAYOUT = computeLayout(GEOMETRY);
const SALT = 0x1234_5678;

const SUPERBLOCK_CHECKSUM_AT = 12;

/** The checksum is made right, so that what it covers is reached. */
const superblock: FuzzTarget = {
  name: 'superblock',
  share: 1,
  samples: [
    encodeSuperblock({
      sequence: 5,
      volumeId: '00112233445566778899aabbccddeeff',
      geometry: GEOMETRY,
      fill: 'x',
      journalSalt: SALT,
      clusterEpoch: 3,
      longestLeaseMs: 400,
      head: { position: 8_192, sequence: 12 },
      regions: Object.values(LAYOUT.regions),
    }),
  ],
  run(input) {
    const bytes = new Uint8Array(SUPERBLOCK_BYTES);
    bytes.set(input.subarray(0, SUPERBLOCK_BYTES));
    const checksum = crc32c(
      bytes.subarray(SUPERBLOCK_CHECKSUM_AT + 4),
      crc32c(bytes.subarray(0, SUPERBLOCK_CHECKSUM_AT)),
    );
    new DataView(bytes.buffer).setUint32(SUPERBLOCK_CHECKSUM_AT, checksum, true);
    decodeSuperblock(input);
    const first = decodeSuperblock(bytes);
    if (typeof first === 'string') return false;
    expectRoundTrip(first, decodeSuperblock(encodeSuperblock(first)));
    return true;
  },
};

const ITEMS: readonly JournalItem[] = [
  { tag: 'write', region: 7, offset: 4_096, bytes: new Uint8Array(128).fill(66) },
  { tag: 'epoch', clusterEpoch: 9, longestLeaseMs: 400 },
];

const sealed = (sequence: number, lastOfGroup: boolean): Uint8Array => {
  const bytes = encodeRecord(sequence, ITEMS);
  sealRecord(bytes, { groupFirst: 1, lastOfGroup, salt: SALT });
  return bytes;
};

/** A record of which all but the checksum is changed, and a ring in which it is not alone. */
const journal: FuzzTarget = {
  name: 'journal record',
  share: 1,
  samples: [sealed(1, true), Buffer.concat([sealed(1, false), sealed(2, true)])],
  run(input) {
    const ring = new Uint8Array(2 * SECTOR_BYTES);
    ring.set(input.subarray(0, ring.length));
    decodeRecord(ring, 0, SALT);
    const scan = scanJournal(ring, { position: 0, sequence: 1 }, SALT);
    const length = new DataView(ring.buffer).getUint32(24, true);
    const end = RECORD_HEADER_BYTES + length;
    if (end > ring.length) return false;
    new DataView(ring.buffer).setUint32(4, crc32c(ring.subarray(8, end)), true);
    const record = decodeRecord(ring, 0, SALT);
    if (record === undefined || typeof record.items === 'string') return scan.tag === 'corrupt';
    const again = encodeRecord(record.sequence, record.items);
    const { groupFirst, lastOfGroup } = record;
    sealRecord(again, { groupFirst, lastOfGroup, salt: SALT });
    expectRoundTrip(record.items, decodeRecord(again, 0, SALT)?.items);
    return true;
  },
};

const FILE = 3 as FileNumber;

const allocation: FuzzTarget = {
  name: 'allocation entry',
  share: 4,
  samples: [
    encodeAllocationEntry({
      file: FILE,
      firstBlock: 24,
      blocks: 8,
      version: { term: 4, counter: 17 },
      mark: { term: 4, owner: 1, backup: 2 },
      outcomes: [{ client: 9 as ClientId, operation: 3, count: 5 }],
      losses: 0,
      contentSequence: 12,
    }),
  ],
  run(input) {
    const bytes = new Uint8Array(256);
    bytes.set(input.subarray(0, bytes.length));
    decodeAllocationEntry(input, FILE, LAYOUT);
    const used = bytes.subarray(0, 48 + 16 * (bytes[44] ?? 0));
    const number = Uint8Array.from([FILE, 0, 0, 0]);
    new DataView(bytes.buffer).setUint32(0, crc32c(number, crc32c(used.subarray(4))), true);
    const first = decodeAllocationEntry(bytes, FILE, LAYOUT);
    if (typeof first === 'string') return false;
    expectRoundTrip(first, decodeAllocationEntry(encodeAllocationEntry(first), FILE, LAYOUT));
    return true;
  },
};

const nodeEntry: FuzzTarget = {
  name: 'node entry',
  share: 3,
  samples: ['n1', 'a'.repeat(32)].map((name) => encodeNodeEntry(name as NodeId)),
  run(input) {
    const bytes = new Uint8Array(64);
    bytes.set(input.subarray(0, bytes.length));
    decodeNodeEntry(bytes);
    new DataView(bytes.buffer).setUint32(60, crc32c(bytes.subarray(0, 60)), true);
    const first = decodeNodeEntry(bytes);
    if (first.tag !== 'name') return false;
    expectRoundTrip(first, decodeNodeEntry(encodeNodeEntry(first.name)));
    return true;
  },
};

export const coopfsTargets = (): FuzzTarget[] => [
  message,
  framing,
  requestSet,
  addresses,
  superblock,
  journal,
  allocation,
  nodeEntry,
];
