/**
 * Members that are here and do not reach each other (rule 15): how it is noticed, and what becomes of the
 * transactions and files that they have a part in together. A recovery makes other pairs of them, as after a
 * loss; what ran begins again after it and goes another way (apart.ts).
 */

import type { NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { forgetApart, noteApart } from './apart.ts';
import type { DirectoryEntry } from './directory_entry.ts';
import { preempt, RESEND_MS, runningOf } from './scheduler.ts';
import { entryOf, type Server } from './server_state.ts';
import type { Awaited, Transaction } from './transaction.ts';

/**
 * How long contents may be on their way from one member to another. An owner hands them over when its backup
 * has the write before: it has half as long to say that this one is out of reach.
 */
const forwardLimitMs = (server: Server): number =>
  Math.max(2 * RESEND_MS, 4 * server.options.leaseMs);

/** An owner's backup does not answer it, while both are members. */
export const unreachable = (
  server: Server,
  from: NodeId,
  { node }: Message<'unreachable'>,
): void => {
  if (node === from || !server.members.has(node)) return;
  noteApart(server, from, node);
  for (const entry of [...server.entries.values()]) {
    if (hasBackup(server, entry, from, node)) preempt(server, entry);
  }
};

/** The one is owner and the other its backup, or a recovery is about to make them that, which knows no better. */
const hasBackup = (
  server: Server,
  entry: DirectoryEntry,
  owner: NodeId,
  backup: NodeId,
): boolean => {
  const transactions = [...runningOf(server, entry), ...entry.queue];
  const recovery = transactions.find((each) => each.kind === 'recover');
  if (recovery !== undefined) return recovery.source === owner && recovery.backup === backup;
  return !entry.unavailable && entry.owner === owner && entry.backup === backup;
};

/** Two members one of which was ordered to send the other what has not come. */
const isBetweenPeers = ({ from, resend }: Awaited): boolean =>
  from !== resend.to && (resend.message.type === 'forward' || resend.message.type === 'freeze');

const stuckBetweenPeers = (server: Server, transaction: Transaction): Awaited | undefined => {
  const limitMs = forwardLimitMs(server);
  return transaction.awaited.find(
    (each) =>
      server.now >= each.sinceMs + limitMs &&
      isBetweenPeers(each) &&
      [each.from, each.resend.to].every((node) => isHere(server, node)),
  );
};

const isHere = (server: Server, node: NodeId): boolean => {
  const member = server.members.get(node);
  return member?.linkUp === true && !member.fenced;
};

/** Contents that have been under way between two members for too long go another way. */
export const rerouteStuck = (server: Server): void => {
  forgetApart(server);
  for (const transaction of [...server.running.values()]) {
    const stuck = stuckBetweenPeers(server, transaction);
    if (stuck === undefined || !server.running.has(transaction.sequence)) continue;
    noteApart(server, stuck.resend.to, stuck.from);
    preempt(server, entryOf(server, transaction.file));
  }
};
