/** Reading the journal after a crash: what is whole is replayed, what is torn is told from what is corrupt. */

import type { DecodedRecord } from './journal_record.ts';
import { decodeRecord, mayBeginRecord, RECORD_ALIGN_BYTES } from './journal_record.ts';
import { roundUp, SECTOR_BYTES } from './layout.ts';
import type { JournalPoint } from './superblock.ts';
import { viewOf } from './uint53.ts';

export type JournalScan =
  | {
      tag: 'whole';
      records: DecodedRecord[];
      /** Where the next group begins. */
      end: JournalPoint;
    }
  /** `offset` counts from the start of the ring. */
  | { tag: 'corrupt'; offset: number; reason: string };

/** The ring as if it began at `position`. */
const unrolled = (ring: Uint8Array, position: number): Uint8Array => {
  const start = position % ring.length;
  const bytes = new Uint8Array(ring.length);
  bytes.set(ring.subarray(start));
  bytes.set(ring.subarray(0, start), ring.length - start);
  return bytes;
};

/**
 * A whole record after `from` that was synced later than record `missing`, if there is one. A group
 * is written only when the one before it is synced: such a record proves that `missing` was synced,
 * while one of the missing record's own group proves nothing, for a torn group loses any part.
 */
const laterRecord = (
  journal: Uint8Array,
  from: number,
  missing: number,
  salt: number,
): DecodedRecord | undefined => {
  const view = viewOf(journal);
  for (let at = from; at < journal.length; at += RECORD_ALIGN_BYTES) {
    if (!mayBeginRecord(view, at, salt)) continue;
    const record = decodeRecord(journal, at, salt);
    if (record !== undefined && record.groupFirst > missing) return record;
  }
  return undefined;
};

/** Reads the ring from the superblock's head on. */
export const scanJournal = (ring: Uint8Array, head: JournalPoint, salt: number): JournalScan => {
  const journal = unrolled(ring, head.position);
  const records: DecodedRecord[] = [];
  let at = 0;
  let sequence = head.sequence;
  while (at < journal.length) {
    const record = decodeRecord(journal, at, salt);
    if (record?.sequence !== sequence) break;
    const offset = (head.position + at) % ring.length;
    if (typeof record.items === 'string') {
      return { tag: 'corrupt', offset, reason: `record ${sequence} is whole, but ${record.items}` };
    }
    records.push(record);
    sequence++;
    at += record.sizeBytes;
    if (record.lastOfGroup) at = roundUp(at, SECTOR_BYTES);
  }
  const later = laterRecord(journal, at, sequence, salt);
  if (later !== undefined) {
    return {
      tag: 'corrupt',
      offset: (head.position + at) % ring.length,
      reason: `record ${sequence} is damaged, but record ${later.sequence}, written after it, is whole`,
    };
  }
  const position = head.position + roundUp(at, SECTOR_BYTES);
  return { tag: 'whole', records, end: { position, sequence } };
};
