/**
 * One journal record: everything a commit changes, as bytes and the places they belong to. Whole
 * images rather than differences, so that a home location torn by a crash is made good by replaying.
 */

import { assert } from '../../protocol/assert.ts';
import { crc32c } from '../../protocol/crc32c.ts';
import { roundUp } from './layout.ts';
import { getUint53, isDuration, isUint53, putUint53, viewOf } from './uint53.ts';

/** "CFJR", mixed with the volume's salt. */
const MAGIC = 0x52_4a_46_43;
const TYPE_COMMIT = 1;
const FLAG_LAST_OF_GROUP = 1;

const AT = {
  magic: 0,
  checksum: 4,
  sequence: 8,
  groupFirst: 16,
  payloadLength: 24,
  type: 28,
  flags: 30,
  itemCount: 32,
} as const;
export const RECORD_HEADER_BYTES = 40;
/** Records, and items in them, begin at multiples of this. */
export const RECORD_ALIGN_BYTES = 8;

const ITEM_AT = { tag: 0, region: 1, length: 4, offset: 8 } as const;
const ITEM_HEADER_BYTES = 16;
const TAG_WRITE = 1;
const TAG_EPOCH = 2;
const EPOCH_BYTES = 16;

export type JournalItem =
  /** These bytes belong at `offset` of the region of this kind. */
  | { tag: 'write'; region: number; offset: number; bytes: Uint8Array }
  | { tag: 'epoch'; clusterEpoch: number; longestLeaseMs: number };

export interface DecodedRecord {
  readonly sequence: number;
  /** The sequence of the first record that was synced together with this one. */
  readonly groupFirst: number;
  readonly lastOfGroup: boolean;
  readonly sizeBytes: number;
  /** A sentence where the record is whole but of a kind that this version does not know. */
  readonly items: readonly JournalItem[] | string;
}

const payloadOf = (item: JournalItem): Uint8Array => {
  if (item.tag === 'write') return item.bytes;
  const bytes = new Uint8Array(EPOCH_BYTES);
  putUint53(viewOf(bytes), 0, item.clusterEpoch);
  viewOf(bytes).setFloat64(8, item.longestLeaseMs, true);
  return bytes;
};

/** A record that still lacks its seal. The bytes of the items are copied. */
export const encodeRecord = (sequence: number, items: readonly JournalItem[]): Uint8Array => {
  const payloads = items.map(payloadOf);
  const length = payloads.reduce(
    (sum, payload) => sum + ITEM_HEADER_BYTES + roundUp(payload.length, RECORD_ALIGN_BYTES),
    0,
  );
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + length);
  const view = viewOf(bytes);
  putUint53(view, AT.sequence, sequence);
  view.setUint32(AT.payloadLength, length, true);
  view.setUint16(AT.type, TYPE_COMMIT, true);
  view.setUint32(AT.itemCount, items.length, true);
  let at = RECORD_HEADER_BYTES;
  items.forEach((item, index) => {
    const payload = payloads[index] as Uint8Array;
    bytes[at + ITEM_AT.tag] = item.tag === 'write' ? TAG_WRITE : TAG_EPOCH;
    bytes[at + ITEM_AT.region] = item.tag === 'write' ? item.region : 0;
    view.setUint32(at + ITEM_AT.length, payload.length, true);
    putUint53(view, at + ITEM_AT.offset, item.tag === 'write' ? item.offset : 0);
    bytes.set(payload, at + ITEM_HEADER_BYTES);
    at += ITEM_HEADER_BYTES + roundUp(payload.length, RECORD_ALIGN_BYTES);
  });
  assert(at === bytes.length, 'a record is as long as its items');
  return bytes;
};

/** Completes a record in place, when it is known with which others it will be synced. */
export const sealRecord = (
  bytes: Uint8Array,
  seal: { groupFirst: number; lastOfGroup: boolean; salt: number },
): void => {
  const view = viewOf(bytes);
  view.setUint32(AT.magic, (MAGIC ^ seal.salt) >>> 0, true);
  putUint53(view, AT.groupFirst, seal.groupFirst);
  view.setUint16(AT.flags, seal.lastOfGroup ? FLAG_LAST_OF_GROUP : 0, true);
  view.setUint32(AT.checksum, crc32c(bytes.subarray(AT.sequence)), true);
};

const decodeItems = (payload: Uint8Array, count: number): JournalItem[] | string => {
  const view = viewOf(payload);
  const items: JournalItem[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + ITEM_HEADER_BYTES > payload.length) return `it ends before its item ${index}`;
    const tag = payload[at + ITEM_AT.tag];
    const length = view.getUint32(at + ITEM_AT.length, true);
    const start = at + ITEM_HEADER_BYTES;
    if (start + length > payload.length) return `it ends within its item ${index}`;
    if (tag === TAG_WRITE) {
      const region = payload[at + ITEM_AT.region] as number;
      const offset = getUint53(view, at + ITEM_AT.offset);
      if (!isUint53(offset)) return 'its offset is 2^53 or more';
      items.push({ tag: 'write', region, offset, bytes: payload.subarray(start, start + length) });
    } else if (tag === TAG_EPOCH && length === EPOCH_BYTES) {
      const clusterEpoch = getUint53(view, start);
      if (!isUint53(clusterEpoch)) return 'its cluster epoch is 2^53 or more';
      const longestLeaseMs = view.getFloat64(start + 8, true);
      if (!isDuration(longestLeaseMs)) return 'its longest lease is no time';
      items.push({ tag: 'epoch', clusterEpoch, longestLeaseMs });
    } else {
      return `its item ${index} has the unknown tag ${String(tag)}`;
    }
    at = start + roundUp(length, RECORD_ALIGN_BYTES);
  }
  return items;
};

/** True if a record of this volume may begin at `at`; most places of a journal are ruled out by this. */
export const mayBeginRecord = (journal: DataView, at: number, salt: number): boolean =>
  at + RECORD_HEADER_BYTES <= journal.byteLength &&
  journal.getUint32(at, true) === (MAGIC ^ salt) >>> 0;

/** The whole, unharmed record that begins at `at`, or undefined. Its items are slices of `journal`. */
export const decodeRecord = (
  journal: Uint8Array,
  at: number,
  salt: number,
): DecodedRecord | undefined => {
  const view = viewOf(journal);
  if (!mayBeginRecord(view, at, salt)) return undefined;
  const length = view.getUint32(at + AT.payloadLength, true);
  const end = at + RECORD_HEADER_BYTES + length;
  if (end > journal.length) return undefined;
  const checksum = crc32c(journal.subarray(at + AT.sequence, end));
  if (view.getUint32(at + AT.checksum, true) !== checksum) return undefined;
  const sequence = getUint53(view, at + AT.sequence);
  const groupFirst = getUint53(view, at + AT.groupFirst);
  if (!isUint53(sequence) || !isUint53(groupFirst)) return undefined;
  const type = view.getUint16(at + AT.type, true);
  const payload = journal.subarray(at + RECORD_HEADER_BYTES, end);
  return {
    sequence,
    groupFirst,
    lastOfGroup: (view.getUint16(at + AT.flags, true) & FLAG_LAST_OF_GROUP) !== 0,
    sizeBytes: RECORD_HEADER_BYTES + length,
    items:
      type === TYPE_COMMIT
        ? decodeItems(payload, view.getUint32(at + AT.itemCount, true))
        : `it is of the unknown type ${type}`,
  };
};
