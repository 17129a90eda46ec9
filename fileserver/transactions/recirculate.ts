/**
 * The last clean copy of a file moves to another node's memory instead of being dropped
 * (N-chance forwarding, Dahlin et al. 1994 §2.4). The new holder is told first, so that it installs
 * only what it expects (rule 7); the old one keeps its copy until the new one has it.
 */

import { assert } from '../../protocol/assert.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { areApart } from '../apart.ts';
import { transition, type DirectoryEntry } from '../directory_entry.ts';
import {
  order,
  orderOf,
  orderVia,
  replyTo,
  type MemberRecord,
  takeBack,
  type Server,
} from '../server_state.ts';
import type { Recirculate } from '../transaction.ts';
import { noteSharer } from './get_shared.ts';

const giver = (transaction: Recirculate): NodeId => {
  assert(transaction.requester.kind === 'member', 'only members recirculate');
  return transaction.requester.node;
};

/** The member with free pages, or else the one with the oldest page. */
const chooseTarget = (server: Server, from: NodeId): MemberRecord | undefined => {
  const wanted = server.options.geometry.blocksPerFile;
  let best: MemberRecord | undefined;
  for (const member of server.members.values()) {
    if (member.leaving || member.fenced || !member.linkUp || member.node === from) continue;
    if (areApart(server, member.node, from)) continue;
    if (best === undefined) best = member;
    else if (member.freePages >= wanted && best.freePages < wanted) best = member;
    else if (member.freePages >= wanted === best.freePages >= wanted) {
      if (member.oldestUseMs > best.oldestUseMs) best = member;
    }
  }
  return best;
};

export const startRecirculate = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Recirculate,
): void => {
  const from = giver(transaction);
  const isLastCopy =
    entry.state === 'shared' && entry.sharers.size === 1 && entry.sharers.has(from);
  const target = isLastCopy ? chooseTarget(server, from) : undefined;
  if (target === undefined) return;
  transaction.target = target.node;
  const { file, chances } = transaction;
  const message = {
    type: 'expect',
    order: orderOf(server, transaction),
    file,
    from,
    chances,
  } as const;
  order(server, transaction, target.node, message, 'expected');
};

export const recirculateAnswered = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Recirculate,
  _from: NodeId,
  message: Message,
): void => {
  const { file, target } = transaction;
  const from = giver(transaction);
  if (target === undefined) return;
  if (message.type === 'expected' && message.accepted) {
    transaction.phase = 'forward';
    // Request 0: the target installs it against the order that told it to expect the file.
    const forward = { type: 'forward', order: orderOf(server, transaction), file } as const;
    orderVia(server, transaction, from, { ...forward, to: target, request: 0 }, target, 'received');
  }
  if (message.type === 'forwardFailed') {
    transaction.phase = 'cancel';
    takeBack(server, transaction, target, 'invalidate');
  }
  // The request was a late repeat, and the giver has read the file again beside it.
  if (message.type === 'dropped' && message.held) noteSharer(entry, from, true);
};

/** True when the transaction is over. */
export const advanceRecirculate = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Recirculate,
): boolean => {
  const { file, request, requester, target } = transaction;
  const from = giver(transaction);
  switch (transaction.phase) {
    case 'offer':
    case 'cancel':
      replyTo(server, requester, { type: 'recirculateRefused', request, file });
      return true;
    case 'forward': {
      assert(target !== undefined, `file ${file}: recirculated to nobody`);
      transaction.phase = 'drop';
      server.counters.recirculations++;
      entry.sharers.add(target);
      transition(entry, 'read');
      if (entry.sharers.delete(from)) transition(entry, 'copy-dropped');
      entry.eviction = `last copy moved from ${from} to ${target}`;
      takeBack(server, transaction, from, 'drop');
      return false;
    }
    case 'drop':
      return true;
  }
};
