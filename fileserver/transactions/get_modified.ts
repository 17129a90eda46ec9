/**
 * A cacher asks to write: every other copy is invalidated or frozen, a backup is found, the dirty
 * mark is journaled, and only then is the file granted (rules 2, 8 and 10).
 *
 * When the file was dirty already, its old owner becomes the backup: it holds the newest version, so
 * nothing has to be copied, and at every moment two memories hold that version.
 */

import { assert } from '../../protocol/assert.ts';
import { FIRST_VERSION, type NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { areApart } from '../apart.ts';
import { chooseBackup } from '../backup_choice.ts';
import { refusalOf } from '../degraded.ts';
import { transition, type DirectoryEntry } from '../directory_entry.ts';
import {
  commit,
  failRequest,
  isFormer,
  load,
  log,
  order,
  orderOf,
  orderVia,
  takeBack,
  type Server,
} from '../server_state.ts';
import { newTerm, termInForce } from '../terms.ts';
import type { GetModified } from '../transaction.ts';
import { forgetSharer, noteSharer } from './get_shared.ts';

const asker = (transaction: GetModified): NodeId => {
  assert(transaction.requester.kind === 'member', 'only members ask to write');
  return transaction.requester.node;
};

/**
 * The asker learns its term before the disk does. Should the grant be lost together with the new backup,
 * it is the one who can say that nothing was written under that term.
 */
const prepareOwner = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetModified,
  base: number,
): void => {
  const { file, term } = transaction;
  entry.ungranted = { term, base };
  const to = { order: orderOf(server, transaction), file } as const;
  const message = { type: 'prepareOwner', ...to, term, base } as const;
  order(server, transaction, asker(transaction), message, 'ownerPrepared');
};

/** Asks the chosen node to be the backup. */
const prepareBackup = (server: Server, entry: DirectoryEntry, transaction: GetModified): void => {
  const { file, term, backup } = transaction;
  if (backup === undefined) return;
  const owner = asker(transaction);
  const role = { term, owner, version: entry.version, onDisk: true } as const;
  const message = {
    type: 'prepareBackup',
    order: orderOf(server, transaction),
    file,
    ...role,
  } as const;
  order(server, transaction, backup, message, 'backupPrepared');
};

/** The next candidate; undefined when all have refused. */
const nextBackup = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetModified,
): NodeId | undefined =>
  chooseBackup(server, entry, transaction.sequence, asker(transaction), transaction.refused);

/**
 * A sharer that asks keeps what it held when it asked, unless it is ordered otherwise, and then the
 * directory knows. One that held nothing may have got a copy since, as a backup that was cleaned: it stays
 * listed, and is supplied all the same.
 */
const holdsStill = (entry: DirectoryEntry, transaction: GetModified): boolean =>
  transaction.claimsToHold && entry.sharers.has(asker(transaction));

const otherSharers = (entry: DirectoryEntry, transaction: GetModified): NodeId[] =>
  [...entry.sharers].filter((node) => node !== asker(transaction));

/** Has a sharer send the contents to the asker, or loads the server's copy if no sharer is left that can. */
const supply = (server: Server, entry: DirectoryEntry, transaction: GetModified): void => {
  const { file, request } = transaction;
  const to = asker(transaction);
  const suppliers = otherSharers(entry, transaction).filter(
    (node) => !isFormer(server, node) && !areApart(server, node, to),
  );
  const supplier = suppliers.find((node) => node === transaction.backup) ?? suppliers[0];
  if (supplier === undefined) {
    load(server, transaction);
    return;
  }
  const order = orderOf(server, transaction);
  const message = { type: 'forward', order, file, to, request } as const;
  orderVia(server, transaction, supplier, message, to, 'received');
};

/** The backup's copy stays: it is the one the first write builds on. */
const invalidateOthers = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetModified,
): void => {
  transaction.phase = 'quiesce';
  for (const node of otherSharers(entry, transaction)) {
    if (node !== transaction.backup) takeBack(server, transaction, node, 'invalidate');
  }
};

/**
 * From uncached or shared: a new pair is made; the server's copy is current. The sharers keep theirs until
 * the asker has the contents: should the disk turn out to be damaged, one of them can make it good.
 */
const quiesceClean = (server: Server, entry: DirectoryEntry, transaction: GetModified): void => {
  transaction.version = entry.version;
  transaction.requesterHolds = holdsStill(entry, transaction);
  transaction.backup = nextBackup(server, entry, transaction);
  transaction.phase = 'supply';
  if (!transaction.requesterHolds) supply(server, entry, transaction);
  if (transaction.backup !== undefined) {
    transaction.term = newTerm(server, entry);
    prepareBackup(server, entry, transaction);
    prepareOwner(server, entry, transaction, 0);
  }
  if (transaction.requesterHolds) invalidateOthers(server, entry, transaction);
};

/** From dirty, by another node: the old owner becomes the backup, the old backup is released. */
const quiesceDirty = (server: Server, entry: DirectoryEntry, transaction: GetModified): void => {
  const writer = asker(transaction);
  const { owner, backup } = entry;
  assert(owner !== undefined && backup !== undefined, `file ${entry.file}: dirty without a pair`);
  // Read before the new one is taken.
  const base = termInForce(server, entry);
  transaction.term = newTerm(server, entry);
  const { file, term, request } = transaction;
  transaction.backup = owner;
  transaction.backupHolds = true;
  transaction.requesterHolds = writer === backup || holdsStill(entry, transaction);
  prepareOwner(server, entry, transaction, base);
  const freeze = { type: 'freeze', order: orderOf(server, transaction), file, term } as const;
  const forward = !transaction.requesterHolds;
  const toOwner = { ...freeze, backup: true, newOwner: writer, forward, request, report: false };
  order(server, transaction, owner, toOwner, 'frozen');
  // One order with two effects: the contents go to the writer as well.
  if (forward) {
    const resend = { to: owner, message: toOwner };
    transaction.awaited.push({ from: writer, answer: 'received', sinceMs: server.now, resend });
  }
  if (backup !== writer) transaction.release = backup;
  for (const node of entry.sharers) {
    if (node !== writer) takeBack(server, transaction, node, 'invalidate');
  }
};

/**
 * The old backup is frozen only when the old owner is: until then it must acknowledge the write that
 * the owner has in flight.
 */
const freezeOldBackup = (server: Server, transaction: GetModified): void => {
  const { file, term, release } = transaction;
  if (release === undefined) return;
  const freeze = { type: 'freeze', order: orderOf(server, transaction), file, term } as const;
  const role = { backup: false, newOwner: asker(transaction), forward: false } as const;
  order(server, transaction, release, { ...freeze, ...role, request: 0, report: false }, 'frozen');
};

export const startGetModified = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetModified,
): void => {
  server.counters.getModified++;
  transaction.upgrade = entry.owner === asker(transaction);
  if (transaction.upgrade) {
    transaction.term = termInForce(server, entry);
    transaction.backup = entry.backup;
    transaction.backupHolds = true;
    transaction.requesterHolds = true;
    for (const node of entry.sharers) takeBack(server, transaction, node, 'invalidate');
  } else if (entry.state === 'dirty') {
    quiesceDirty(server, entry, transaction);
  } else if (refusalOf(server) !== undefined) {
    transaction.phase = 'refuse';
  } else {
    quiesceClean(server, entry, transaction);
  }
};

/**
 * The asker has given up what it asked for: it asked under a registration that is over by now. What was done for it
 * is undone by a recovery.
 */
const withdrawn = (entry: DirectoryEntry, transaction: GetModified): void => {
  transaction.vain = true;
  entry.preempting = true;
};

export const getModifiedAnswered = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetModified,
  from: NodeId,
  message: Message,
): void => {
  switch (message.type) {
    case 'received':
      if (transaction.phase === 'release') noteSharer(entry, from, message.held);
      else if (message.held) transaction.requesterHolds = true;
      else withdrawn(entry, transaction);
      break;
    case 'granted':
      if (!message.taken) withdrawn(entry, transaction);
      break;
    case 'forwardFailed':
      // An owner cannot say this: the order stays open, and is repeated.
      if (entry.state === 'dirty') break;
      forgetSharer(entry, from);
      supply(server, entry, transaction);
      break;
    case 'frozen':
      if (from !== entry.owner) break;
      transaction.version = message.version;
      freezeOldBackup(server, transaction);
      break;
    case 'backupPrepared':
      if (message.full) {
        server.counters.backupsRefused++;
        transaction.refused.push(from);
        if (transaction.phase === 'quiesce' && entry.sharers.has(from)) {
          takeBack(server, transaction, from, 'invalidate');
        }
        transaction.backup = nextBackup(server, entry, transaction);
        prepareBackup(server, entry, transaction);
      } else {
        transaction.backupHolds = message.holds;
      }
      break;
    default:
  }
};

/**
 * No second memory: the asker writes through to the disk instead (rule 5). It receipts the answer, so
 * that a repeat of its request that is under way finds this transaction, not an owner's place (rule 16).
 */
const finishWithoutBackup = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetModified,
): void => {
  const writer = asker(transaction);
  const { file, request } = transaction;
  const shared = entry.state === 'shared';
  const stays = transaction.requesterHolds || entry.sharers.has(writer);
  entry.sharers.clear();
  if (stays) {
    entry.sharers.add(writer);
    transition(entry, shared ? 'sole-sharer' : 'read');
  } else if (shared) {
    transition(entry, 'last-copy-dropped');
  }
  log(server, 'info', `file ${file}: no node has room for a backup of ${writer}'s write`);
  transaction.phase = 'release';
  const answer = { type: 'noBackup', order: orderOf(server, transaction), file, request } as const;
  order(server, transaction, writer, answer, 'received');
};

const grant = (server: Server, entry: DirectoryEntry, transaction: GetModified): void => {
  entry.ungranted = undefined;
  const owner = asker(transaction);
  const { file, request, term, backup, backupHolds, contents, requesterHolds } = transaction;
  assert(backup !== undefined && backup !== owner, `file ${file}: granted without a backup`);
  transaction.phase = 'grant';
  entry.owner = owner;
  entry.backup = backup;
  entry.sharers.clear();
  transition(entry, 'modified');
  const supplied = requesterHolds ? undefined : contents;
  assert(requesterHolds || supplied !== undefined, `file ${file}: granted without its contents`);
  order(
    server,
    transaction,
    owner,
    {
      type: 'grant',
      order: orderOf(server, transaction),
      file,
      request,
      term,
      version: transaction.version,
      backup,
      backupHolds,
      bytes: supplied?.bytes ?? new Uint8Array(0),
      outcomes: supplied?.outcomes ?? [],
      source: supplied?.source ?? 'peer',
    },
    'granted',
  );
};

/** All others are quiet: the directory changes hands, and says so on disk before anyone may write. */
const record = (server: Server, entry: DirectoryEntry, transaction: GetModified): void => {
  const owner = asker(transaction);
  const { file, term, backup } = transaction;
  if (backup === undefined) {
    finishWithoutBackup(server, entry, transaction);
  } else if (transaction.upgrade) {
    grant(server, entry, transaction);
  } else {
    transaction.phase = 'record';
    commit(server, transaction, [{ kind: 'mark', file, mark: { term, owner, backup } }]);
  }
};

/**
 * The disk's blocks are damaged, and no other node supplies a copy: the backup gives its pages back. After that the
 * request begins again, once, behind an attempt at a repair; or it fails.
 */
const withdraw = (server: Server, entry: DirectoryEntry, transaction: GetModified): void => {
  const { backup } = transaction;
  transaction.phase = 'withdraw';
  if (backup === undefined) return;
  forgetSharer(entry, backup);
  takeBack(server, transaction, backup, 'invalidate');
};

/** True when the transaction is over. */
export const advanceGetModified = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetModified,
): boolean => {
  const { file, release, requester, request, failure } = transaction;
  switch (transaction.phase) {
    case 'refuse': {
      const refusal = refusalOf(server);
      const { code = 'EROFS', message = 'the write is refused' } = refusal ?? {};
      failRequest(server, requester, request, code, message);
      return true;
    }
    case 'supply':
      if (failure !== undefined) withdraw(server, entry, transaction);
      else invalidateOthers(server, entry, transaction);
      return false;
    case 'withdraw':
      failRequest(server, requester, request, 'EIO', failure ?? `file ${file} cannot be read`);
      return true;
    case 'quiesce':
      record(server, entry, transaction);
      return false;
    case 'record':
      grant(server, entry, transaction);
      return false;
    case 'grant': {
      transaction.phase = 'release';
      if (release === undefined) return true;
      takeBack(server, transaction, release, 'drop');
      return false;
    }
    case 'release':
      return true;
  }
};

export const newGetModified = {
  kind: 'getModified',
  phase: 'quiesce',
  upgrade: false,
  term: 0,
  backup: undefined,
  backupHolds: false,
  release: undefined,
  requesterHolds: false,
  version: FIRST_VERSION,
} as const;
