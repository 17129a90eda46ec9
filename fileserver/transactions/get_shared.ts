/** A cacher asks for a copy to read: three hops through a holder, or from the server (rule 6). */

import { assert } from '../../protocol/assert.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { areApart } from '../apart.ts';
import { copiesOf, transition, type DirectoryEntry } from '../directory_entry.ts';
import {
  failRequest,
  isFormer,
  load,
  order,
  orderOf,
  orderVia,
  replyTo,
  takeBack,
  type Server,
} from '../server_state.ts';
import type { GetShared } from '../transaction.ts';

/** The member that asks. */
const asker = (transaction: GetShared): NodeId => {
  assert(transaction.requester.kind === 'member', 'only members ask for copies');
  return transaction.requester.node;
};

/**
 * Which sharer supplies: the one that comes after the order's number in turn, to spread the load. Not the asker,
 * which has given its copy up, though the notice may have been lost with a link. Or it has got another since
 * this request was sent, and stays listed.
 */
const pickSharer = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetShared,
): NodeId | undefined => {
  const to = asker(transaction);
  const sharers = [...entry.sharers].filter(
    (node) => node !== to && !isFormer(server, node) && !areApart(server, node, to),
  );
  return sharers[transaction.sequence % sharers.length];
};

const forward = (server: Server, transaction: GetShared, holder: NodeId): void => {
  const to = asker(transaction);
  const { file, request } = transaction;
  const message = {
    type: 'forward',
    order: orderOf(server, transaction),
    file,
    to,
    request,
  } as const;
  server.counters.suppliedByPeer++;
  transaction.forwarded = true;
  orderVia(server, transaction, holder, message, to, 'received');
};

const supply = (server: Server, entry: DirectoryEntry, transaction: GetShared): void => {
  const holder = entry.owner ?? pickSharer(server, entry, transaction);
  if (holder === undefined) load(server, transaction);
  else forward(server, transaction, holder);
};

export const startGetShared = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetShared,
): void => {
  server.counters.getShared++;
  if (!holdsRole(entry, asker(transaction))) supply(server, entry, transaction);
};

/** The asker became a backup, or owner, while its request waited. */
const holdsRole = (entry: DirectoryEntry, node: NodeId): boolean =>
  entry.owner === node || entry.backup === node;

export const getSharedAnswered = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetShared,
  from: NodeId,
  message: Message,
): void => {
  if (message.type === 'received') transaction.vainly = !message.held;
  if (message.type !== 'forwardFailed') return;
  forgetSharer(entry, from);
  // An owner always has the file: one that says otherwise breaks the protocol, and nobody else has it.
  if (entry.owner === from) transaction.failure = `the owner ${from} does not supply the file`;
  else supply(server, entry, transaction);
};

/** Who has sent the contents may have given them up since, and they may yet arrive: they are void from here on. */
const withdraw = (server: Server, transaction: GetShared): void => {
  transaction.forwarded = false;
  takeBack(server, transaction, asker(transaction), 'invalidate');
};

/**
 * Contents that were sent to the asker may come when nobody counts it as a sharer any more. One that is listed stays so:
 * its copy may be the only one.
 */
export const mayArriveUnlisted = (entry: DirectoryEntry, transaction: GetShared): boolean =>
  transaction.forwarded && !entry.sharers.has(asker(transaction));

/** True when the transaction is over. */
export const advanceGetShared = (
  server: Server,
  entry: DirectoryEntry,
  transaction: GetShared,
): boolean => {
  const { file, request, contents, failure } = transaction;
  const to = asker(transaction);
  if (holdsRole(entry, to)) {
    replyTo(server, transaction.requester, { type: 'alreadyHeld', request, file });
    return true;
  }
  if (failure !== undefined && mayArriveUnlisted(entry, transaction)) {
    withdraw(server, transaction);
    return false;
  }
  if (failure !== undefined) {
    failRequest(server, transaction.requester, request, 'EIO', failure);
    return true;
  }
  if (contents !== undefined && transaction.phase === 'fetch') {
    transaction.phase = 'confirm';
    if (contents.source === 'disk') server.counters.suppliedFromDisk++;
    else server.counters.suppliedFromMemory++;
    const copies = copiesOf(entry) + (entry.sharers.has(to) ? 0 : 1);
    const data = {
      type: 'data',
      order: orderOf(server, transaction),
      file,
      request,
      copies,
    } as const;
    order(server, transaction, to, { ...data, ...contents }, 'received');
    return false;
  }
  if (server.members.has(to) && !transaction.vainly) {
    entry.sharers.add(to);
    transition(entry, 'read');
  }
  return true;
};

/** Takes a node off the sharers, if it is one. */
export const forgetSharer = (entry: DirectoryEntry, node: NodeId): void => {
  if (!entry.sharers.delete(node)) return;
  transition(entry, entry.sharers.size > 0 ? 'copy-dropped' : 'last-copy-dropped');
};

/** A node says whether it has a clean copy, whichever way that came. */
export const noteSharer = (entry: DirectoryEntry, node: NodeId, held: boolean): void => {
  if (!held) {
    forgetSharer(entry, node);
  } else if (!entry.sharers.has(node)) {
    entry.sharers.add(node);
    transition(entry, 'read');
  }
};
