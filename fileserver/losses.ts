/** Members that are lost: who is, and what becomes of the transactions and files they had a part in. */

import { FIRST_VERSION, type NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import type { DirectoryEntry } from './directory_entry.ts';
import { lostAtMs } from './leases.ts';
import { remove, tellMembers } from './membership.ts';
import { beginReprotection } from './reprotection.ts';
import { answerFor, giveUp, preempt, runningOf, runQueue, settle } from './scheduler.ts';
import { expel, log, type MemberRecord, type Server } from './server_state.ts';
import { isRequester, type Awaited, type Transaction } from './transaction.ts';

/** Gives up the members whose leases and margins are over. */
export const expireLeases = (server: Server): void => {
  for (const member of [...server.members.values()]) {
    if (server.now >= lostAtMs(server, member)) lose(server, member);
  }
};

/** Acts on a lost member: its lease is over, it serves nothing and acknowledges nothing any more. */
export const lose = (server: Server, member: MemberRecord): void => {
  const { node } = member;
  log(server, 'warn', `${node} is lost: its lease is over`);
  server.counters.membersLost++;
  remove(server, member);
  server.over.set(member.link, member);
  expel(server, member.link, member.firstClient, member.attempt);
  beginReprotection(server, member);
  for (const entry of [...server.entries.values()]) loseFrom(server, entry, node);
  tellMembers(server);
};

const loseFrom = (server: Server, entry: DirectoryEntry, node: NodeId): void => {
  const running = runningOf(server, entry);
  const holder = entry.owner === node || entry.backup === node;
  if ((holder && !entry.unavailable) || running.some((each) => isStranded(each, node))) {
    // Its next life may be a member before the disk has answered, and has not asked for it.
    for (const each of running) if (isRequester(each, node)) each.vain = true;
    preempt(server, entry);
    return;
  }
  for (const transaction of running) {
    if (isVain(transaction, node)) {
      giveUp(server, entry, transaction);
      continue;
    }
    // Its next life counts its requests anew, and must not be answered for this one.
    if (isRequester(transaction, node)) transaction.requester = { kind: 'server' };
    stepOver(server, entry, transaction, node);
  }
  runQueue(server, entry);
};

/** A change of ownership, or a recovery, cannot go on without this party. */
const isStranded = (transaction: Transaction, node: NodeId): boolean => {
  if (transaction.kind === 'getModified') {
    return isRequester(transaction, node) || transaction.backup === node;
  }
  // The target may expect the copy already: a recovery tells everybody to forget it.
  if (transaction.kind === 'recirculate') return isRequester(transaction, node);
  if (transaction.kind !== 'recover') return false;
  const { asked, source, backup } = transaction;
  return asked.includes(node) || source === node || backup === node;
};

/** A read for somebody who is gone changes nothing: it just ends. The others end in order. */
const isVain = (transaction: Transaction, node: NodeId): boolean =>
  (transaction.kind === 'getShared' || transaction.kind === 'readThrough') &&
  isRequester(transaction, node);

/** What the loss of a node answers to an order: its copies are fenced, it takes nothing, it has nothing. */
const answerOf = ({ answer, resend }: Awaited): Message | undefined => {
  const { message } = resend;
  if (!('order' in message) || !('file' in message)) return undefined;
  const { order, file } = message;
  switch (answer) {
    case 'invalidated':
      return { type: 'invalidated', order, file };
    case 'dropped':
      return { type: 'dropped', order, file, held: false };
    case 'cleaned':
      return { type: 'cleaned', order, file };
    case 'backupPrepared':
      return { type: 'backupPrepared', order, file, full: true, holds: false };
    case 'expected':
      return { type: 'expected', order, file, accepted: false };
    case 'lostNoted':
      return { type: 'lostNoted', order, file };
    case 'fetched': {
      const nothing = { held: false, version: FIRST_VERSION, bytes: new Uint8Array(0) };
      return { type: 'fetched', order, file, ...nothing };
    }
    case 'received':
      return { type: 'forwardFailed', order, file };
    default:
      return undefined;
  }
};

/** Goes on without the answers of a lost node. */
const stepOver = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Transaction,
  node: NodeId,
): void => {
  while (true) {
    const awaited = transaction.awaited.find(
      (each) => each.from === node || each.resend.to === node,
    );
    const message = awaited === undefined ? undefined : answerOf(awaited);
    if (awaited === undefined || message === undefined) break;
    // It may lead to another order to the same node, which is answered likewise.
    answerFor(server, entry, transaction, awaited, message);
  }
  settle(server, entry, transaction);
};
