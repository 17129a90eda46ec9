/**
 * A node that was killed and starts again is admitted at once, as another life under the same name, while
 * the lease of its old self may not be over (design, section 5). The old self stays a member until then,
 * under a name of its own that no message carries: what it held is its own, nothing is sent to it, and it is
 * lost like any other. Files that it owns or is the backup of wait so long.
 */

import type { NodeId } from '../protocol/ids.ts';
import type { DirectoryEntry } from './directory_entry.ts';
import { concerns } from './membership.ts';
import { beginReprotection } from './reprotection.ts';
import { preempt, runningOf } from './scheduler.ts';
import { log, type MemberRecord, type Server } from './server_state.ts';
import { isRequester, type Transaction } from './transaction.ts';

/** Makes room for another life of the member's node. */
export const becomeFormer = (server: Server, member: MemberRecord): void => {
  const { node, incarnation, link } = member;
  const former: MemberRecord = {
    ...member,
    node: `${node}#${incarnation}` as NodeId,
    linkUp: false,
    leaving: false,
    former: true,
  };
  log(
    server,
    'info',
    `${node} starts again: its old self keeps what it held until its lease is over`,
  );
  server.members.delete(node);
  server.links.delete(link);
  server.members.set(former.node, former);
  const entries = [...server.entries.values()];
  for (const entry of entries) rename(entry, node, former.node);
  beginReprotection(server, former);
  for (const entry of entries) endPartOf(server, entry, node, former.node);
};

const rename = (entry: DirectoryEntry, from: NodeId, to: NodeId): void => {
  // The pair of an unavailable file is the disk's, which knows of no lives.
  if (!entry.unavailable) {
    if (entry.owner === from) entry.owner = to;
    if (entry.backup === from) entry.backup = to;
    // Whatever life comes next, it has nothing of what its old self held.
    if (entry.owner === to || entry.backup === to) entry.empty.add(from);
  }
  for (const nodes of [entry.sharers, entry.reporters, entry.leftovers]) {
    if (nodes.delete(from)) nodes.add(to);
  }
};

/** The transaction may have given the old self something, or be about to. */
const hasPart = (transaction: Transaction, node: NodeId): boolean =>
  concerns(transaction, node) ||
  (transaction.kind === 'recirculate' && transaction.target === node) ||
  (transaction.kind === 'recover' &&
    (transaction.backup === node || transaction.asked.includes(node)));

/** What the old self asked for is vain; what it had a part in goes on when its lease is over. */
const endPartOf = (server: Server, entry: DirectoryEntry, node: NodeId, former: NodeId): void => {
  entry.queue = entry.queue.filter((each) => !concerns(each, node));
  const running = runningOf(server, entry).filter((each) => hasPart(each, node));
  for (const each of running) if (isRequester(each, node)) each.vain = true;
  if (running.length === 0) return;
  // It may have got what was sent to it, and may serve it as long as it has a lease.
  entry.leftovers.add(former);
  preempt(server, entry);
};
