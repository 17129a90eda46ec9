/**
 * A dirty file has lost its owner or its backup, or the node that was about to become owner. It
 * pre-empts whatever ran (rule 13): all who may hold something stop under a new term and say what they
 * hold; the newest becomes the contents of a new pair, or goes to the disk if there is no second node.
 */

import { assert } from '../../protocol/assert.ts';
import { compareVersions, formatVersion, type NodeId, type Version } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { areApart } from '../apart.ts';
import { chooseBackup } from '../backup_choice.ts';
import type { DirtyMark } from '../disk/disk_events.ts';
import {
  becomeAvailable,
  becomeUnavailable,
  lossNoted,
  recordLoss,
  tellLoss,
} from '../lost_files.ts';
import { transition, type DirectoryEntry } from '../directory_entry.ts';
import {
  commit,
  commitContents,
  load,
  log,
  order,
  orderOf,
  takeBack,
  type Server,
} from '../server_state.ts';
import { newTerm } from '../terms.ts';
import type { Recover, Report } from '../transaction.ts';

export const startRecover = (server: Server, entry: DirectoryEntry, transaction: Recover): void => {
  server.counters.recoveries++;
  const { file } = transaction;
  transaction.term = newTerm(server, entry);
  entry.sharers.clear();
  if (entry.state === 'shared') transition(entry, 'last-copy-dropped');
  const message = { type: 'recover', order: orderOf(server, transaction), file } as const;
  for (const node of transaction.asked) {
    order(server, transaction, node, { ...message, term: transaction.term }, 'recovered');
  }
};

export const recoverAnswered = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Recover,
  from: NodeId,
  message: Message,
): void => {
  switch (message.type) {
    case 'recovered':
      transaction.reports.push({ node: from, ...message });
      break;
    case 'backupPrepared':
      if (message.full) {
        transaction.refused.push(from);
        prepareBackup(server, entry, transaction);
      }
      break;
    case 'granted':
      // It has registered anew since, and is to say what it has.
      if (!message.taken) entry.preempting = true;
      break;
    case 'collected': {
      const { version, bytes, outcomes } = message;
      commitContents(server, transaction, version, bytes.slice(), outcomes);
      break;
    }
    case 'lostNoted':
      lossNoted(server, entry, from);
      break;
    default:
  }
};

/**
 * The term from which on contents count: the mark's, unless this server or one of its pair knows that nothing was
 * written under it. Then what it builds on is the file: 0 if that is the disk's contents.
 */
const floorOf = (
  { ungranted: notBegun }: DirectoryEntry,
  transaction: Recover,
  mark: DirtyMark,
): number => {
  if (notBegun?.term === mark.term) return notBegun.base;
  for (const { node, kind, term, ungranted, base } of transaction.reports) {
    if (node === mark.owner && ungranted === mark.term) return base;
    if (node === mark.backup && kind === 'empty' && term === mark.term) return 0;
  }
  return mark.term;
};

/**
 * The newest contents that anybody reported of a term that counts, the owner's rather than its backup's: it
 * may have an application waiting for them. None if the disk's do.
 */
const newest = (transaction: Recover, floor: number, owner: NodeId): Report | undefined => {
  let best: Report | undefined;
  for (const report of transaction.reports) {
    if (report.kind !== 'dirty' || report.term < floor) continue;
    const newer = best === undefined ? 1 : compareVersions(report.version, best.version);
    if (newer > 0 || (newer === 0 && report.node === owner)) best = report;
  }
  return best;
};

/** Somebody has come back since, and is to be asked too. */
const hasNewReporter = (server: Server, entry: DirectoryEntry, { asked }: Recover): boolean =>
  [...entry.reporters].some((node) => server.members.has(node) && !asked.includes(node));

/** All have answered: what is left of the file, and what becomes of it. */
const decide = (server: Server, entry: DirectoryEntry, transaction: Recover): boolean => {
  const { file } = transaction;
  const { mark } = server.meta(file);
  // Without a mark no write can have been acknowledged that the disk does not have (rule 2).
  if (mark === undefined) {
    release(server, entry, transaction, undefined);
    return false;
  }
  const floor = floorOf(entry, transaction, mark);
  const best = floor === 0 ? undefined : newest(transaction, floor, mark.owner);
  if (best !== undefined) {
    transaction.source = best.node;
    transaction.version = best.version;
    prepareBackup(server, entry, transaction);
    return false;
  }
  if (floor === 0) {
    // The mark was made and no write was acknowledged after it: the disk is current.
    transaction.phase = 'load';
    load(server, transaction);
    return false;
  }
  if (hasNewReporter(server, entry, transaction)) {
    entry.preempting = true;
    return false;
  }
  for (const { node, kind } of transaction.reports) if (kind === 'none') entry.empty.add(node);
  if (entry.empty.has(mark.owner) && entry.empty.has(mark.backup)) {
    transaction.loses = true;
    transaction.phase = 'load';
    load(server, transaction);
    return false;
  }
  for (const { node, kind } of transaction.reports) if (kind === 'dirty') entry.leftovers.add(node);
  becomeUnavailable(server, entry, mark);
  log(
    server,
    'warn',
    `file ${file} is dirty, and no node that is here holds it: it is not available`,
  );
  return true;
};

const isAvailable = (server: Server, node: NodeId): boolean => {
  const member = server.members.get(node);
  return member !== undefined && !member.leaving && !member.fenced;
};

/** Another node gets the second copy: one that holds it already, if there is one. */
const prepareBackup = (server: Server, entry: DirectoryEntry, transaction: Recover): void => {
  const { file, term, source, version, refused } = transaction;
  assert(source !== undefined, `file ${file}: recovered from nobody`);
  transaction.phase = 'prepare';
  const holder = transaction.reports.find(
    (each) =>
      each.kind === 'dirty' &&
      each.node !== source &&
      !refused.includes(each.node) &&
      isAvailable(server, each.node) &&
      !areApart(server, each.node, source) &&
      compareVersions(each.version, version) === 0,
  );
  const backup = holder?.node ?? chooseBackup(server, entry, transaction.sequence, source, refused);
  transaction.backup = backup;
  if (backup === undefined) return;
  // It may have come back with nothing, and is about to get what the file is.
  entry.empty.delete(backup);
  const role = { term, owner: source, version, onDisk: false } as const;
  const message = {
    type: 'prepareBackup',
    order: orderOf(server, transaction),
    file,
    ...role,
  } as const;
  order(server, transaction, backup, message, 'backupPrepared');
};

/** The new owner brings the new backup up to date; neither serves anything yet. */
const promote = (server: Server, transaction: Recover, source: NodeId, backup: NodeId): void => {
  const { file, term } = transaction;
  transaction.phase = 'promote';
  const message = {
    type: 'promote',
    order: orderOf(server, transaction),
    file,
    term,
    backup,
  } as const;
  order(server, transaction, source, message, 'promoted');
};

/** The new pair has everything, and the disk names it: both may serve (rule 10). */
const install = (server: Server, entry: DirectoryEntry, transaction: Recover): void => {
  const { file, term, source, backup, version } = transaction;
  assert(source !== undefined && backup !== undefined, `file ${file}: promoted without a pair`);
  transaction.phase = 'grant';
  entry.owner = source;
  entry.backup = backup;
  transition(entry, 'promoted');
  const contents = { version, bytes: new Uint8Array(0), outcomes: [], source: 'peer' } as const;
  const grant = { type: 'grant', order: orderOf(server, transaction), file, request: 0 } as const;
  const role = { term, backup, backupHolds: true } as const;
  order(server, transaction, source, { ...grant, ...role, ...contents }, 'granted');
  const confirm = { type: 'confirmBackup', order: orderOf(server, transaction), file } as const;
  order(server, transaction, backup, { ...confirm, term }, 'backupConfirmed');
};

/** Whoever reported something and has no part in what is left lets go of it. */
const release = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Recover,
  keeper: NodeId | undefined,
): void => {
  const { reports, backup, source } = transaction;
  const pair = keeper === undefined && entry.owner !== undefined;
  transaction.phase = 'release';
  const dirty = new Set(entry.reporters);
  for (const { node, kind } of reports) {
    if (kind === 'dirty') dirty.add(node);
    if (kind !== 'empty') continue;
    dirty.delete(node);
    if (!(pair && node === backup)) takeBack(server, transaction, node, 'invalidate');
  }
  for (const node of dirty) {
    const stays = node === keeper || (pair && (node === source || node === backup));
    if (stays || !server.members.has(node)) continue;
    takeBack(server, transaction, node, 'drop');
  }
};

/** Somebody whose dirty contents are what the disk should have: nothing was written to them under the mark. */
const holderOfDisks = (server: Server, { file, reports }: Recover): Report | undefined => {
  const { version } = server.meta(file);
  return reports.find(
    (each) =>
      each.kind === 'dirty' &&
      server.members.has(each.node) &&
      compareVersions(each.version, version) === 0,
  );
};

/** A holder by the mark that has not been heard: it may have what the disk should have. */
const isAway = (entry: DirectoryEntry, { asked }: Recover, { owner, backup }: DirtyMark): boolean =>
  [owner, backup].some((node) => !asked.includes(node) && !entry.empty.has(node));

/** The disk's contents are to stand again, under a version of this term. True if they are waited for. */
const restore = (server: Server, entry: DirectoryEntry, transaction: Recover): boolean => {
  const { file, term, contents, loses, failure, reports } = transaction;
  const { mark } = server.meta(file);
  assert(mark !== undefined, `file ${file}: restored without having been dirty`);
  const holder = contents === undefined && !loses ? holderOfDisks(server, transaction) : undefined;
  if (holder !== undefined) {
    transaction.source = holder.node;
    transaction.version = holder.version;
    prepareBackup(server, entry, transaction);
    return false;
  }
  if (contents === undefined && !loses) {
    if (hasNewReporter(server, entry, transaction)) {
      entry.preempting = true;
      return false;
    }
    if (isAway(entry, transaction, mark)) {
      log(server, 'warn', `file ${file} cannot be read, and a node that may have it is away`);
      // Who is here with nothing but its place says so again when the other one is back: then all is known.
      for (const { node, kind } of reports) if (kind === 'empty') entry.reporters.add(node);
      becomeUnavailable(server, entry, mark);
      return true;
    }
  }
  if (loses) recordLoss(server, entry, mark);
  if (contents === undefined) {
    // Nobody has it. Reads fail with EIO, this file's only, until it is written anew.
    log(server, 'warn', `file ${file} cannot be restored: ${failure ?? 'it cannot be read'}`);
    server.damaged.set(file, new Set());
    transaction.phase = 'unmark';
    const { version: damaged } = server.meta(file);
    const version = loses ? { term, counter: damaged.counter + 1 } : damaged;
    const record = { kind: 'unmark', file, version } as const;
    commit(server, transaction, [loses ? { ...record, afterLoss: true } : record]);
    return false;
  }
  transaction.phase = 'restore';
  const next = { term, counter: contents.version.counter + 1 };
  commitContents(server, transaction, next, contents.bytes, contents.outcomes, loses);
  return false;
};

/** The disk has the contents, or what is left of them: nobody is owner any more; the one that supplied them keeps a copy. */
const restored = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Recover,
  version: Version,
): void => {
  const { file, source, contents } = transaction;
  if (contents !== undefined) server.memory.put(file, contents.bytes);
  entry.version = version;
  entry.owner = undefined;
  entry.backup = undefined;
  transition(entry, 'restored');
  if (source === undefined) return;
  entry.sharers.add(source);
  transition(entry, 'read');
  const clean = { type: 'clean', order: orderOf(server, transaction), file } as const;
  order(server, transaction, source, { ...clean, version, copies: 1 }, 'cleaned');
};

/** True when the transaction is over. */
export const advanceRecover = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Recover,
): boolean => {
  const { file, term, source, backup, version, contents } = transaction;
  switch (transaction.phase) {
    case 'report':
      return decide(server, entry, transaction);
    case 'prepare': {
      assert(source !== undefined, `file ${file}: recovered from nobody`);
      if (backup !== undefined) {
        promote(server, transaction, source, backup);
        return false;
      }
      transaction.phase = 'restore';
      const message = { type: 'collect', order: orderOf(server, transaction), file } as const;
      order(server, transaction, source, message, 'collected');
      return false;
    }
    case 'promote':
      assert(source !== undefined && backup !== undefined, `file ${file}: no pair`);
      transaction.phase = 'mark';
      // Who came back with nothing of what the old mark stands for may get what the new one does.
      entry.empty.clear();
      commit(server, transaction, [{ kind: 'mark', file, mark: { term, owner: source, backup } }]);
      return false;
    case 'mark':
      install(server, entry, transaction);
      return false;
    case 'grant':
      release(server, entry, transaction, undefined);
      return false;
    case 'load':
      return restore(server, entry, transaction);
    case 'restore':
      assert(contents !== undefined, `file ${file}: restored without contents`);
      restored(server, entry, transaction, contents.version);
      release(server, entry, transaction, source);
      return false;
    case 'unmark':
      restored(server, entry, transaction, server.meta(file).version);
      release(server, entry, transaction, undefined);
      return false;
    case 'release':
      transaction.phase = 'tell';
      return tellLoss(server, entry, transaction)
        ? false
        : finish(server, entry, transaction, version);
    case 'tell':
      return finish(server, entry, transaction, version);
  }
};

const finish = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Recover,
  version: Version,
): boolean => {
  becomeAvailable(server, entry);
  entry.lossUntold = false;
  if (entry.owner !== transaction.source && entry.state === 'dirty') {
    // The disk was current all along: what the mark stood for has been written back.
    entry.owner = undefined;
    entry.backup = undefined;
    transition(entry, 'restored');
  }
  entry.version = server.meta(entry.file).version;
  // Thousands may come from their other holder: the loss and its end are logged, not each of them.
  if (transaction.source === undefined) {
    log(server, 'info', `file ${entry.file} stands as on the disk, at ${formatVersion(version)}`);
  }
  return true;
};
