/**
 * What the file server orders this cacher to do with its copies. Every order may come twice, after a
 * link broke; the second time it is answered again (rule 16).
 */

import { assert } from '../protocol/assert.ts';
import { compareOrders, compareVersions, type NodeId, type Order } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { clip } from '../protocol/open_files.ts';
import { isAwaited, startSync, startWrite, writeIsSafe } from './backup_writes.ts';
import { isOwner, isSecondCopy, move, type CachedFile, type DeferredOrder } from './cached_file.ts';
import { log, sendToPeer, sendToServer, type Cacher } from './cacher_state.ts';
import { READABLE } from './copy_table.ts';
import { releasePages, reserveAtOnce } from './pages.ts';
import { outcomeUnknown } from './waiting.ts';

/** An order for an owner waits for the write that is on its way; the caller pumps the file. */
export const defer = (cached: CachedFile, order: DeferredOrder): void => {
  const here = cached.orders.some((each) => compareOrders(each.order, order.order) === 0);
  if (!here) cached.orders.push(order);
};

/** Carries out an order that had to wait. */
export const execute = (cacher: Cacher, cached: CachedFile, order: DeferredOrder): void => {
  switch (order.type) {
    case 'forward':
      forward(cacher, cached, order);
      break;
    case 'freeze':
      freeze(cacher, cached, order);
      break;
    case 'collect':
      collect(cacher, cached, order);
      break;
    case 'readOnce':
      readOnce(cacher, cached, order);
      break;
    default:
      order satisfies never;
  }
};

/** What is frozen waits for no backup any more, nor do contents that were collected before. */
export const isDueAtOnce = ({ copy }: CachedFile, { type }: DeferredOrder): boolean =>
  copy === 'frozen' || (copy === 'writing-back' && type === 'collect');

const sendData = (
  cacher: Cacher,
  cached: CachedFile,
  to: NodeId,
  order: Message<'data'>['order'],
  request: number,
): void => {
  const { file, version, bytes, outcomes } = cached;
  const copies = Math.max(2, cached.copies + 1);
  cached.copies = copies;
  const contents = { version, bytes, outcomes, source: 'peer', copies } as const;
  sendToPeer(cacher, to, { type: 'data', order, file, request, ...contents });
};

/** Hands the contents to another cacher: three hops, the last of them from here (rule 6). */
const forward = (cacher: Cacher, cached: CachedFile, message: Message<'forward'>): void => {
  const { order, file, to, request } = message;
  if (isOwner(cached)) {
    // Others may read from now on, so writing needs the server's leave again.
    if (cached.copy !== 'writing-back') move(cached, 'forward');
  } else if (cached.copy !== 'shared' && !isPrepared(cached, order)) {
    sendToServer(cacher, { type: 'forwardFailed', order, file });
    return;
  }
  sendData(cacher, cached, to, order, request);
  // A last copy that moves on takes its count of chances with it, in the order to expect it.
  if (request === 0) cached.copies = 1;
};

/** Stops serving and acknowledging under the old term (rule 8). */
const freeze = (cacher: Cacher, cached: CachedFile, message: Message<'freeze'>): void => {
  const { order, file, term, newOwner, request } = message;
  const again = cached.roleTerm >= term;
  if (!again) {
    assert(isOwner(cached) || cached.copy === 'backup', `file ${file}: freeze when ${cached.copy}`);
    move(cached, message.backup ? 'freeze-as-backup' : 'freeze');
    cached.term = term;
    cached.roleTerm = term;
    if (message.backup) cached.contentsTerm = term;
    cached.owner = message.backup ? newOwner : undefined;
    cached.backup = undefined;
    cached.backupVersion = undefined;
  }
  if (message.forward && newOwner !== undefined) sendData(cacher, cached, newOwner, order, request);
  const { version, outcomes } = cached;
  const bytes = message.report ? cached.bytes : new Uint8Array(0);
  sendToServer(cacher, { type: 'frozen', order, file, version, bytes, outcomes });
};

/** Gives the server the contents for the disk and stops writing until it has them (rule 11). */
const collect = (cacher: Cacher, cached: CachedFile, message: Message<'collect'>): void => {
  const { order, file } = message;
  if (!isOwner(cached) && cached.copy !== 'frozen') return;
  if (cached.copy !== 'writing-back') move(cached, 'collect');
  const { version, bytes, outcomes } = cached;
  sendToServer(cacher, { type: 'collected', order, file, version, bytes, outcomes });
};

const readOnce = (cacher: Cacher, cached: CachedFile, message: Message<'readOnce'>): void => {
  const { order, file, offset, length } = message;
  if (!isOwner(cached)) return;
  const count = clip(cached.bytes.length, offset, length);
  // A copy: the next write may change the contents before this is encoded.
  const bytes = cached.bytes.slice(offset, offset + count);
  sendToServer(cacher, { type: 'readOnceDone', order, file, version: cached.version, bytes });
};

/** The server's disk has damaged blocks of the file: a clean copy makes them good. */
export const giveCopy = (cacher: Cacher, cached: CachedFile, message: Message<'fetch'>): void => {
  const { order, file } = message;
  const held = cached.copy === 'shared';
  const { version } = cached;
  const bytes = held ? cached.bytes : new Uint8Array(0);
  sendToServer(cacher, { type: 'fetched', order, file, held, version, bytes });
};

/** A repeated order, overtaken by the copy that a peer has sent since: it is answered, no more. */
const isOutdated = ({ copy, installed }: CachedFile, order: Order): boolean =>
  copy === 'shared' && installed !== undefined && compareOrders(order, installed) < 0;

/** A clean copy that becomes the backup of a write that is not granted yet, by the same transaction. */
const isPrepared = ({ copy, prepared }: CachedFile, order: Order): boolean =>
  copy === 'backup' && prepared !== undefined && compareOrders(prepared, order) === 0;

/** A repeated order that was refused before. What it asks for is over, or has found another node. */
const wasDeclined = ({ declined }: CachedFile, order: Order): boolean =>
  declined !== undefined && compareOrders(declined, order) === 0;

/** Gives a clean copy up, or the pages kept for one. */
export const invalidate = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'invalidate'>,
): void => {
  const { order, file } = message;
  const { copy, fence } = cached;
  // What this transaction, or one before it, has had sent here must not come after it.
  const next = { ...order, sequence: order.sequence + 1 };
  if (fence === undefined || compareOrders(fence, next) < 0) cached.fence = next;
  if (isOutdated(cached, order)) {
    log(cacher, 'info', `file ${file}: a late order to invalidate: kept`);
  } else if (
    copy === 'shared' ||
    copy === 'expecting' ||
    copy === 'reserved' ||
    isPrepared(cached, order)
  ) {
    move(cached, 'invalidate');
    releasePages(cacher, cached);
  } else if (copy !== 'invalid') {
    log(cacher, 'warn', `file ${file}: an order to invalidate what is ${copy}: kept`);
  }
  sendToServer(cacher, { type: 'invalidated', order, file });
};

/** Gives up a frozen copy, or a last copy that another node has now. */
export const drop = (cacher: Cacher, cached: CachedFile, message: Message<'drop'>): void => {
  const { order, file } = message;
  const outdated = isOutdated(cached, order);
  if (cached.copy === 'shared' && cached.want?.message.type === 'recirculate' && !outdated) {
    cacher.counters.recirculated++;
    cached.want = undefined;
  }
  const { copy } = cached;
  if (copy === 'frozen' || copy === 'reserved' || (copy === 'shared' && !outdated)) {
    move(cached, 'drop');
    cached.pledge = undefined;
    outcomeUnknown(cacher, cached);
    releasePages(cacher, cached);
  }
  sendToServer(cacher, { type: 'dropped', order, file, held: cached.copy === 'shared' });
};

/** This node is to keep the second copy of a file: at once, or not at all (rule 12). */
export const prepareBackup = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'prepareBackup'>,
): void => {
  const { order, file, term, owner, version } = message;
  const answer = (full: boolean): void => {
    const holds = isSecondCopy(cached);
    if (full) cached.declined = order;
    sendToServer(cacher, { type: 'backupPrepared', order, file, full, holds });
  };
  const again = isAwaited(cached, term) || isSecondCopy(cached) || cached.copy === 'reserved';
  if (again && cached.roleTerm === term) {
    answer(false);
    return;
  }
  if (wasDeclined(cached, order)) {
    answer(true);
    return;
  }
  const same = compareVersions(cached.version, version) === 0;
  const { copy } = cached;
  const possible =
    copy === 'invalid' || copy === 'shared' || copy === 'frozen' || copy === 'reserved';
  if (cacher.stopping || !possible || !reserveAtOnce(cacher, cached, true)) {
    cacher.counters.backupsRefused++;
    answer(true);
    return;
  }
  assert(cached.copy !== 'shared' || same, `file ${file}: a clean copy of another version`);
  const outdated = cached.copy === 'frozen' && !same;
  // An older one stays, unread, until the whole file is here: it may be the only other copy.
  if (outdated) outcomeUnknown(cacher, cached);
  // A write that was under way here is in what the disk has; after a loss it has yet to be in force.
  else if (message.onDisk) writeIsSafe(cacher, cached, 0);
  if (!outdated) move(cached, message.onDisk ? 'prepare-backup' : 'prepare-standby');
  cached.term = term;
  cached.roleTerm = term;
  if (!outdated) cached.contentsTerm = term;
  cached.owner = owner;
  cached.onDisk = message.onDisk;
  cached.prepared = order;
  cached.lastUsedMs = cacher.now;
  answer(false);
};

/** This node will be owner under a term: should the grant be lost, it can say that nothing was written. */
export const prepareOwner = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'prepareOwner'>,
): void => {
  const { order, file, term, base } = message;
  cached.pledge = { term, base };
  sendToServer(cacher, { type: 'ownerPrepared', order, file });
};

/** This node may write; it makes one write at once, before any order (rule 14). */
export const grant = (cacher: Cacher, cached: CachedFile, message: Message<'grant'>): void => {
  const { order, file, request, term, version } = message;
  const granted = { type: 'granted', order, file, taken: true } as const;
  if (cached.copy === 'modified' && cached.roleTerm === term) {
    // Granted before, or promoted while it asked: whoever asked may go on.
    if (cached.want?.message.request === request) cached.want = undefined;
    cached.pledge = undefined;
    sendToServer(cacher, granted);
    return;
  }
  if (cached.copy === 'syncing' && cached.roleTerm === term) {
    move(cached, 'grant');
    // What the new backup has acknowledged counts from here on (rule 10).
    writeIsSafe(cacher, cached, 2);
    sendToServer(cacher, granted);
    return;
  }
  const { want } = cached;
  if (want?.message.type !== 'getModified' || want.message.request !== request) {
    log(cacher, 'warn', `file ${file}: a grant that was not asked for`);
    sendToServer(cacher, { ...granted, taken: false });
    return;
  }
  cached.want = undefined;
  cached.pledge = undefined;
  if (message.bytes.length > 0) {
    cached.bytes = message.bytes.slice();
    cached.outcomes = message.outcomes;
    cached.version = version;
    cached.source = message.source;
  }
  move(cached, 'grant');
  assert(cached.bytes.length > 0, `file ${file}: granted without contents`);
  cached.term = term;
  cached.roleTerm = term;
  cached.contentsTerm = term;
  cached.owner = undefined;
  cached.backup = message.backup;
  cached.backupVersion = message.backupHolds ? cached.version : undefined;
  cached.dirtySinceMs ??= cacher.now;
  sendToServer(cacher, granted);
  const operation = cached.operations[0];
  if (operation?.kind === 'write') {
    cached.operations.shift();
    startWrite(cacher, cached, operation);
  } else if (!message.backupHolds) {
    // Whoever wanted to write is gone; the backup must hold the file all the same.
    startSync(cacher, cached);
  }
};

/** The disk has the file: the copy is clean. */
export const clean = (cacher: Cacher, cached: CachedFile, message: Message<'clean'>): void => {
  const { order, file, version, copies } = message;
  if (cached.copy === 'writing-back' || cached.copy === 'backup') {
    const same = compareVersions(cached.version, version) === 0;
    assert(same, `file ${file}: ${cached.copy} of another version than the disk's`);
    move(cached, 'clean');
    cached.pledge = undefined;
    cached.copies = copies;
    writeIsSafe(cacher, cached, 0);
  }
  sendToServer(cacher, { type: 'cleaned', order, file });
};

/** Another node's last copy is coming here, if there is room without giving up a last copy. */
export const expect = (cacher: Cacher, cached: CachedFile, message: Message<'expect'>): void => {
  const { order, file, chances } = message;
  const again = cached.copy === 'expecting' && cached.expected?.sequence === order.sequence;
  const free = cached.copy === 'invalid' && cached.want === undefined && !cacher.stopping;
  const possible = free && !wasDeclined(cached, order);
  const accepted = again || (possible && reserveAtOnce(cacher, cached, false));
  if (!accepted) cached.declined = order;
  if (accepted && !again) {
    move(cached, 'expect');
    cached.expected = order;
    cached.chances = chances + 1;
  }
  sendToServer(cacher, { type: 'expected', order, file, accepted });
};

/** Contents arrive. They are installed only for a live request, or an expected order (rule 7). */
export const data = (cacher: Cacher, cached: CachedFile, message: Message<'data'>): void => {
  const { order, file, request } = message;
  const want = cached.want?.message;
  const { expected, fence } = cached;
  if (fence !== undefined && compareOrders(order, fence) < 0) return;
  const isExpected =
    cached.copy === 'expecting' &&
    request === 0 &&
    expected !== undefined &&
    compareOrders(expected, order) === 0;
  if (isExpected) {
    install(cacher, cached, message, 'data');
  } else if (want?.request === request && want.type === 'getShared' && READABLE.has(cached.copy)) {
    // A copy has come another way since: as backup of somebody, cleaned by now.
    cached.want = undefined;
  } else if (want?.request === request && cached.copy === 'invalid') {
    if (want.type === 'getShared') {
      cached.want = undefined;
      cached.pledge = undefined;
      install(cacher, cached, message, 'data');
    } else if (want.type === 'getModified') {
      install(cacher, cached, message, 'data-ahead-of-grant');
    }
  }
  // What is not installed was answered before: only the confirmation was lost.
  sendToServer(cacher, { type: 'received', order, file, held: cached.copy !== 'invalid' });
};

const install = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'data'>,
  event: 'data' | 'data-ahead-of-grant',
): void => {
  move(cached, event);
  cached.bytes = message.bytes.slice();
  cached.version = message.version;
  cached.outcomes = message.outcomes;
  cached.source = message.source;
  cached.copies = message.copies;
  cached.expected = undefined;
  cached.installed = message.order;
  cached.lastUsedMs = cacher.now;
};

/** The first hop of a write that is granted: no node has room for a second copy (rule 5). */
export const noBackup = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'noBackup'>,
): void => {
  const { want } = cached;
  const { order, file } = message;
  const asked = want?.message.type === 'getModified' && want.message.request === message.request;
  if (asked && cached.copy === 'arriving') move(cached, 'no-backup');
  // Contents may have come by a repeated order that the server does not wait for any more.
  sendToServer(cacher, { type: 'received', order, file, held: cached.copy !== 'invalid' });
  if (!asked) return;
  cached.want = undefined;
  cached.pledge = undefined;
  if (want.operation !== undefined) want.operation.through = true;
  if (cached.copy === 'invalid' && cached.operations.length === 0) releasePages(cacher, cached);
};
