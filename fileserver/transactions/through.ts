/**
 * Reads and writes of those who keep no copy: applications without a cacher, cachers without a free
 * page, and writers without a second memory (rule 5). A read of a dirty file is served once by its owner;
 * a write recalls every copy first and is acknowledged after the disk sync.
 */

import { assert } from '../../protocol/assert.ts';
import { fileSizeBytes, OUTCOMES_KEPT, type NodeId, type Outcome } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { clip } from '../../protocol/open_files.ts';
import { refusalOf } from '../degraded.ts';
import { transition, type DirectoryEntry } from '../directory_entry.ts';
import {
  commitContents,
  contentsOf,
  failRequest,
  load,
  order,
  orderOf,
  outcomesOf,
  replyTo,
  takeBack,
  type Server,
} from '../server_state.ts';
import { newTerm } from '../terms.ts';
import type { Contents, ReadThrough, WriteThrough } from '../transaction.ts';

export const startReadThrough = (
  server: Server,
  entry: DirectoryEntry,
  transaction: ReadThrough,
): void => {
  const { file, offset, length } = transaction;
  server.counters.readsThrough++;
  if (entry.owner === undefined) {
    load(server, transaction);
    return;
  }
  const message = {
    type: 'readOnce',
    order: orderOf(server, transaction),
    file,
    offset,
    length,
  } as const;
  order(server, transaction, entry.owner, message, 'readOnceDone');
};

export const readThroughAnswered = (
  _server: Server,
  _entry: DirectoryEntry,
  transaction: ReadThrough,
  _from: NodeId,
  message: Message,
): void => {
  if (message.type !== 'readOnceDone') return;
  const { version, bytes } = message;
  transaction.contents = { version, bytes, outcomes: [], source: 'peer' };
};

export const advanceReadThrough = (
  server: Server,
  _entry: DirectoryEntry,
  transaction: ReadThrough,
): boolean => {
  const { file, request, requester, contents, failure, offset, length } = transaction;
  if (contents === undefined) {
    failRequest(server, requester, request, 'EIO', failure ?? `file ${file} cannot be read`);
    return true;
  }
  const { source, version } = contents;
  const count = clip(contents.bytes.length, offset, length);
  const bytes =
    source === 'peer' ? contents.bytes : contents.bytes.subarray(offset, offset + count);
  if (requester.kind === 'client') {
    replyTo(server, requester, { type: 'readDone', request, bytes, source, version });
  } else {
    replyTo(server, requester, { type: 'readThroughDone', request, file, bytes, source, version });
  }
  return true;
};

export const startWriteThrough = (
  server: Server,
  entry: DirectoryEntry,
  transaction: WriteThrough,
): void => {
  server.counters.writesThrough++;
  transaction.term = newTerm(server, entry);
  const { owner, backup } = entry;
  if (owner === undefined || backup === undefined) {
    // The disk comes first: were it damaged, a sharer's copy could make it good.
    transaction.phase = 'load';
    load(server, transaction);
    return;
  }
  invalidateSharers(server, entry, transaction);
  transaction.release = [owner, backup];
  freeze(server, transaction, owner, true);
};

const invalidateSharers = (
  server: Server,
  entry: DirectoryEntry,
  transaction: WriteThrough,
): void => {
  for (const node of entry.sharers) takeBack(server, transaction, node, 'invalidate');
};

/** What came of the same write when it was asked for before (rule 4). */
const knownOutcome = (
  { outcomes }: Pick<Contents, 'outcomes'>,
  { client, operation }: WriteThrough,
): Outcome | undefined =>
  outcomes.find((each) => each.client === client && each.operation === operation);

/**
 * Whether it was carried out when it was asked for before, nobody can tell (rule 4): as long as there is room for more
 * outcomes none has been forgotten.
 */
const isUncertain = (
  { outcomes }: Pick<Contents, 'outcomes'>,
  transaction: WriteThrough,
): boolean =>
  transaction.again &&
  outcomes.length === OUTCOMES_KEPT &&
  knownOutcome({ outcomes }, transaction) === undefined;

const failUncertain = (server: Server, { file, requester, request }: WriteThrough): void => {
  const text = `the write to file ${file} was asked for before, and may or may not have happened`;
  failRequest(server, requester, request, 'ETIMEDOUT', text);
};

/** A write of the whole file; not one that was applied before, since there may have been others after it. */
const replacesAll = (server: Server, transaction: WriteThrough): boolean => {
  const { file, offset, bytes } = transaction;
  const outcomes = outcomesOf(server, file);
  const whole = offset === 0 && bytes.length === fileSizeBytes(server.options.geometry);
  return whole && knownOutcome({ outcomes }, transaction) === undefined;
};

/** The disk has supplied the contents, or the write fails and the sharers keep their copies. */
const loaded = (server: Server, entry: DirectoryEntry, transaction: WriteThrough): boolean => {
  const { file, failure, requester, request } = transaction;
  if (transaction.contents === undefined && replacesAll(server, transaction)) {
    // What is damaged is of no use to it.
    transaction.contents = contentsOf(server, file, transaction.bytes, 'server');
  }
  const { contents } = transaction;
  // Nothing has been done for it yet, and nothing need be.
  if (isUncertain({ outcomes: outcomesOf(server, file) }, transaction)) {
    failUncertain(server, transaction);
    return true;
  }
  if (contents === undefined) {
    failRequest(server, requester, request, 'EIO', failure ?? `file ${file} cannot be read`);
    return true;
  }
  // One that was applied already is only answered again.
  const refusal = requester.kind === 'member' ? refusalOf(server) : undefined;
  if (refusal !== undefined && knownOutcome(contents, transaction) === undefined) {
    failRequest(server, requester, request, refusal.code, refusal.message);
    return true;
  }
  transaction.phase = 'quiesce';
  invalidateSharers(server, entry, transaction);
  return false;
};

/** Stops a holder; the owner reports the contents. The backup comes second: see get_modified.ts. */
const freeze = (server: Server, transaction: WriteThrough, node: NodeId, report: boolean): void => {
  const { file } = transaction;
  const message = {
    type: 'freeze',
    order: orderOf(server, transaction),
    file,
    term: transaction.term,
    backup: false,
    newOwner: undefined,
    forward: false,
    request: 0,
    report,
  } as const;
  order(server, transaction, node, message, 'frozen');
};

export const writeThroughAnswered = (
  server: Server,
  entry: DirectoryEntry,
  transaction: WriteThrough,
  from: NodeId,
  message: Message,
): void => {
  if (message.type !== 'frozen' || from !== entry.owner) return;
  const { version, bytes, outcomes } = message;
  transaction.contents = { version, bytes: bytes.slice(), outcomes, source: 'peer' };
  if (entry.backup !== undefined) freeze(server, transaction, entry.backup, false);
};

/** All copies are quiet and the newest contents are here: change them and sync. */
const apply = (server: Server, transaction: WriteThrough): void => {
  const { file, contents, offset, client, operation } = transaction;
  assert(contents !== undefined, `file ${file}: written without its contents`);
  transaction.phase = 'commit';
  const known = knownOutcome(contents, transaction);
  transaction.uncertain = isUncertain(contents, transaction);
  const isNew = known === undefined && !transaction.uncertain;
  const bytes = contents.bytes.slice();
  const count = known?.count ?? clip(bytes.length, offset, transaction.bytes.length);
  // A retry of a write that was applied already must not be applied again (rule 4).
  // (A write of nothing may name any offset, which `set` would not take.)
  if (isNew && count > 0) bytes.set(transaction.bytes.subarray(0, count), offset);
  const outcome: Outcome = { client, operation, count };
  const outcomes = isNew
    ? [...contents.outcomes, outcome].slice(-OUTCOMES_KEPT)
    : contents.outcomes;
  transaction.count = count;
  const version = { term: transaction.term, counter: contents.version.counter + 1 };
  commitContents(server, transaction, version, bytes, outcomes);
};

/** The disk has the new contents: nobody else does, and the holders are told to let go. */
const release = (server: Server, entry: DirectoryEntry, transaction: WriteThrough): void => {
  const { file, contents } = transaction;
  assert(contents !== undefined, `file ${file}: synced without contents`);
  transaction.phase = 'release';
  server.memory.put(file, contents.bytes);
  entry.version = contents.version;
  entry.owner = undefined;
  entry.backup = undefined;
  entry.sharers.clear();
  transition(entry, 'written-through');
  for (const node of transaction.release) takeBack(server, transaction, node, 'drop');
};

/**
 * Answers the writer. A cacher receipts it before the next transaction starts: until then a repeat of
 * its request, after a link broke, is answered from this transaction and never applied again (rule 4).
 */
const acknowledge = (server: Server, entry: DirectoryEntry, transaction: WriteThrough): void => {
  transaction.phase = 'confirm';
  const { file, request, requester, contents, count, keep } = transaction;
  assert(contents !== undefined, `file ${file}: synced without contents`);
  const { version, outcomes } = contents;
  if (transaction.uncertain) {
    failUncertain(server, transaction);
    return;
  }
  if (requester.kind === 'client') {
    replyTo(server, requester, {
      type: 'writeDone',
      request,
      count,
      version,
      copies: 0,
      degraded: false,
    });
    return;
  }
  // Whoever asked is lost.
  if (requester.kind === 'server') return;
  if (keep) {
    entry.sharers.add(requester.node);
    transition(entry, 'read');
  }
  const bytes = keep ? contents.bytes : new Uint8Array(0);
  const answer = { type: 'writeThroughDone', request, file, count, version, outcomes } as const;
  const message = { ...answer, order: orderOf(server, transaction), bytes };
  order(server, transaction, requester.node, message, 'received');
};

/** True when the transaction is over. */
export const advanceWriteThrough = (
  server: Server,
  entry: DirectoryEntry,
  transaction: WriteThrough,
): boolean => {
  switch (transaction.phase) {
    case 'load':
      return loaded(server, entry, transaction);
    case 'quiesce':
      apply(server, transaction);
      return false;
    case 'commit':
      release(server, entry, transaction);
      return false;
    case 'release':
      acknowledge(server, entry, transaction);
      return false;
    case 'confirm':
      return true;
  }
};
