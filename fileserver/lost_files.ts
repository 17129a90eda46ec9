/**
 * Dirty files none of whose holders is here: how long they are waited for, and what is told when they
 * are lost (design, section 5). A loss is counted on the disk with the contents that stand again; before
 * the file is served, every member has noted it, so that nothing that was open over it goes on.
 */

import { FsError } from '../protocol/errors.ts';
import { formatTerm, formatVersion, type FileNumber, type NodeId } from '../protocol/ids.ts';
import { HOLDINGS_LIMIT, type Message } from '../protocol/messages.ts';
import { staleError } from '../protocol/open_files.ts';
import { transition, type DirectoryEntry } from './directory_entry.ts';
import type { DirtyMark } from './disk/disk_events.ts';
import { noteFlushLost } from './flushes.ts';
import { tryRecovery } from './registration.ts';
import { entryOf, failRequest, log, order, orderOf, type Server } from './server_state.ts';
import { isRequester, type Recover, type Transaction } from './transaction.ts';

/** No node that is here holds the file: everything but a recovery waits. */
export const becomeUnavailable = (
  server: Server,
  entry: DirectoryEntry,
  { owner, backup }: DirtyMark,
): void => {
  entry.unavailable = true;
  entry.owner = owner;
  entry.backup = backup;
  transition(entry, 'promoted');
  if (!server.unavailableSince.has(entry.file)) {
    server.unavailableSince.set(entry.file, server.now);
  }
};

export const becomeAvailable = (server: Server, entry: DirectoryEntry): void => {
  entry.unavailable = false;
  entry.reporters.clear();
  entry.leftovers.clear();
  entry.empty.clear();
  server.unavailableSince.delete(entry.file);
};

/** Gives up the holders that have been away for too long: what they held counts as lost. */
export const giveUpMissing = (server: Server): void => {
  // Holders from before a restart may still come, and may still serve.
  if (server.now < server.quietUntilMs) return;
  const { lostAfterMs } = server.options;
  for (const [file, sinceMs] of [...server.unavailableSince]) {
    if (server.now < sinceMs + lostAfterMs) continue;
    const entry = entryOf(server, file);
    for (const node of [entry.owner, entry.backup]) {
      if (node === undefined || entry.empty.has(node) || entry.reporters.has(node)) continue;
      log(server, 'warn', `file ${file}: ${node} was away for ${lostAfterMs} ms, and is given up`);
      entry.empty.add(node);
    }
    // Should it fail, for a disk that cannot be read, it is tried again after as long.
    server.unavailableSince.set(file, server.now);
    tryRecovery(server, entry);
  }
};

/** Whoever knows that a node does not come back says so, and nobody waits for it any longer. */
export const forget = (server: Server, link: string, message: Message<'forget'>): void => {
  const { request, node } = message;
  const answer = (reply: Message): void => {
    server.commands.push({ do: 'send', to: link, message: reply });
  };
  try {
    answer({ type: 'forgotten', request, files: forgetNode(server, node) });
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    answer({ type: 'failed', request, code: error.code, message: error.message });
  }
};

const forgetNode = (server: Server, node: NodeId): number => {
  if (server.members.has(node)) {
    throw new FsError(
      'EBUSY',
      `${node} is a member of the cluster: only a node that is gone can be`,
    );
  }
  if (server.now < server.quietUntilMs) {
    const leftMs = (server.quietUntilMs - server.now).toFixed(0);
    throw new FsError(
      'EBUSY',
      `the server has just started: ${node} may still come, in ${leftMs} ms`,
    );
  }
  const missing = [...server.unavailableSince.keys()]
    .map((file) => entryOf(server, file))
    .filter((entry) => entry.owner === node || entry.backup === node);
  log(server, 'warn', `${node} is forgotten: ${missing.length} files waited for it`);
  for (const entry of missing) {
    entry.empty.add(node);
    tryRecovery(server, entry);
  }
  return missing.length;
};

/**
 * No holder of the term has the file any more: what was written under it is gone, unless nothing was.
 * The disk's contents stand again, under a later version; never silently.
 */
export const recordLoss = (server: Server, entry: DirectoryEntry, mark: DirtyMark): void => {
  const { file, version } = entry;
  const { term, owner, backup } = mark;
  const times = server.meta(file).losses + 1;
  server.losses.set(file, { times, term, holders: [owner, backup] });
  entry.lossUntold = true;
  noteFlushLost(server, file);
  const since = formatVersion(version);
  const holders = `${owner} and ${backup}`;
  log(
    server,
    'warn',
    `file ${file}: neither of ${holders} has what was written under term ${formatTerm(term)}: writes since ${since} are lost`,
  );
  for (const { files } of server.clients.values()) {
    const open = files.get(file);
    if (open !== undefined) open.stale = true;
  }
  dropRequests(server, entry, ({ requester }) => requester.kind === 'client');
};

/** Tells every member, and waits until each has noted it, or is lost. False if there is nothing to tell. */
export const tellLoss = (server: Server, entry: DirectoryEntry, transaction: Recover): boolean => {
  if (!entry.lossUntold) return false;
  const { file } = transaction;
  const times = server.meta(file).losses;
  const message = { type: 'lost', order: orderOf(server, transaction), file, times } as const;
  for (const node of server.members.keys()) order(server, transaction, node, message, 'lostNoted');
  return true;
};

/** What a member has asked for on behalf of handles that are stale now must not be carried out. */
export const lossNoted = (server: Server, entry: DirectoryEntry, node: NodeId): void => {
  dropRequests(server, entry, (each) => isRequester(each, node));
};

const dropRequests = (
  server: Server,
  entry: DirectoryEntry,
  isOf: (transaction: Transaction) => boolean,
): void => {
  const { code, message } = staleError(entry.file);
  entry.queue = entry.queue.filter((each) => {
    const through = each.kind === 'readThrough' || each.kind === 'writeThrough';
    if (!through || !isOf(each)) return true;
    failRequest(server, each.requester, each.request, code, message);
    return false;
  });
};

/** Every file that has ever lost writes, as a member that registers is told. */
export const lossList = (server: Server): Message<'registered'>['losses'] =>
  [...server.losses].slice(-HOLDINGS_LIMIT).map(([file, { times }]) => ({ file, times }));

/**
 * Files that were dirty when the server last stopped without writing them back are still: on the
 * pair of nodes that the disk names.
 */
export const restoreMarks = (server: Server, files: readonly FileNumber[]): void => {
  for (const file of files) {
    const { mark } = server.meta(file);
    if (mark === undefined) continue;
    const entry = entryOf(server, file);
    entry.term = mark.term;
    becomeUnavailable(server, entry, mark);
  }
};

/** Files that lost writes in an earlier life of the server: `status` and members know of them still. */
export const restoreLosses = (server: Server, files: readonly FileNumber[]): void => {
  for (const file of files) {
    server.losses.set(file, { times: server.meta(file).losses, term: undefined, holders: [] });
  }
};
