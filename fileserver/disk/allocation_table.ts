/** The allocation table: one checksummed entry per file, saying where it lies and what is known of it. */

import { assert } from '../../protocol/assert.ts';
import { crc32c } from '../../protocol/crc32c.ts';
import type { ClientId, FileNumber, Outcome, Version } from '../../protocol/ids.ts';
import { OUTCOMES_KEPT } from '../../protocol/ids.ts';
import type { Layout } from './layout.ts';
import { ALLOCATION_ENTRY_BYTES } from './layout.ts';
import { getUint53, isUint32, isUint53, putUint53, viewOf } from './uint53.ts';

/** A dirty mark with its nodes as numbers of the node table. */
export interface StoredMark {
  readonly term: number;
  readonly owner: number;
  readonly backup: number;
}

export interface AllocationEntry {
  readonly file: FileNumber;
  readonly firstBlock: number;
  readonly blocks: number;
  readonly version: Version;
  readonly mark: StoredMark | undefined;
  readonly outcomes: readonly Outcome[];
  /** How often writes of it were lost with all nodes that held them; stays at the highest number. */
  readonly losses: number;
  /** The journal sequence that its blocks were last written under; 0 since the format. */
  readonly contentSequence: number;
}

const AT = {
  checksum: 0,
  outcomeCount: 4,
  losses: 6,
  term: 8,
  counter: 16,
  markTerm: 24,
  firstBlock: 32,
  contentSequence: 40,
  blocks: 48,
  owner: 52,
  backup: 54,
  outcomes: 56,
} as const;
const OUTCOME_BYTES = 16;
/** The highest count of losses that an entry holds. */
export const LOSSES_MAX = 0xffff;
/** In the place of a node's number: there is no mark. */
export const NO_NODE = 0xffff;

/** The checksum covers the file's number too, so that an entry in the wrong place is seen. */
const checksumOf = (used: Uint8Array, file: number): number => {
  const number = new Uint8Array(4);
  viewOf(number).setUint32(0, file, true);
  return crc32c(number, crc32c(used.subarray(AT.outcomeCount)));
};

/** The offset of a file's entry within the allocation region. */
export const allocationOffset = (file: number): number => file * ALLOCATION_ENTRY_BYTES;

/**
 * The used part of an entry, 56 bytes and 16 per outcome. What follows it in the table has no
 * meaning, so that a short entry may be written over a long one.
 */
export const encodeAllocationEntry = (entry: AllocationEntry): Uint8Array => {
  assert(entry.outcomes.length <= OUTCOMES_KEPT, `at most ${OUTCOMES_KEPT} outcomes are kept`);
  const bytes = new Uint8Array(AT.outcomes + entry.outcomes.length * OUTCOME_BYTES);
  const view = viewOf(bytes);
  putUint53(view, AT.term, entry.version.term);
  putUint53(view, AT.counter, entry.version.counter);
  putUint53(view, AT.firstBlock, entry.firstBlock);
  putUint53(view, AT.contentSequence, entry.contentSequence);
  view.setUint32(AT.blocks, entry.blocks, true);
  putUint53(view, AT.markTerm, entry.mark?.term ?? 0);
  view.setUint16(AT.owner, entry.mark?.owner ?? NO_NODE, true);
  view.setUint16(AT.backup, entry.mark?.backup ?? NO_NODE, true);
  bytes[AT.outcomeCount] = entry.outcomes.length;
  view.setUint16(AT.losses, entry.losses, true);
  entry.outcomes.forEach((outcome, index) => {
    assert(isUint32(outcome.operation) && isUint32(outcome.count), 'an outcome fits 32 bits');
    const at = AT.outcomes + index * OUTCOME_BYTES;
    putUint53(view, at, outcome.client);
    view.setUint32(at + 8, outcome.operation, true);
    view.setUint32(at + 12, outcome.count, true);
  });
  view.setUint32(AT.checksum, checksumOf(bytes, entry.file), true);
  return bytes;
};

const markOf = (view: DataView): StoredMark | undefined => {
  const owner = view.getUint16(AT.owner, true);
  if (owner === NO_NODE) return undefined;
  const term = getUint53(view, AT.markTerm);
  return { term, owner, backup: view.getUint16(AT.backup, true) };
};

/** The entry of `file` that begins `bytes`, or a sentence saying what is wrong with it. */
export const decodeAllocationEntry = (
  bytes: Uint8Array,
  file: FileNumber,
  layout: Layout,
): AllocationEntry | string => {
  const count = bytes[AT.outcomeCount] ?? 0;
  const length = AT.outcomes + count * OUTCOME_BYTES;
  if (count > OUTCOMES_KEPT || bytes.length < length) return `it claims ${count} outcomes`;
  const used = bytes.subarray(0, length);
  const view = viewOf(used);
  if (view.getUint32(AT.checksum, true) !== checksumOf(used, file)) return 'its checksum is wrong';
  const outcomes: Outcome[] = [];
  for (let at: number = AT.outcomes; at < length; at += OUTCOME_BYTES) {
    outcomes.push({
      client: getUint53(view, at) as ClientId,
      operation: view.getUint32(at + 8, true),
      count: view.getUint32(at + 12, true),
    });
  }
  const entry: AllocationEntry = {
    file,
    firstBlock: getUint53(view, AT.firstBlock),
    blocks: view.getUint32(AT.blocks, true),
    version: { term: getUint53(view, AT.term), counter: getUint53(view, AT.counter) },
    mark: markOf(view),
    outcomes,
    losses: view.getUint16(AT.losses, true),
    contentSequence: getUint53(view, AT.contentSequence),
  };
  if (entry.blocks !== layout.geometry.blocksPerFile) return `it claims ${entry.blocks} blocks`;
  if (!isUint53(entry.firstBlock) || entry.firstBlock + entry.blocks > layout.blocks) {
    return `its blocks ${entry.firstBlock} and following lie outside the volume`;
  }
  const { version, mark } = entry;
  const numbers = [version.term, version.counter, mark?.term ?? 0, entry.contentSequence];
  for (const outcome of outcomes) numbers.push(outcome.client);
  if (!numbers.every(isUint53)) {
    return 'one of its numbers is 2^53 or more';
  }
  return entry;
};
