/** Who is in the cluster: registration, heartbeats, leaving, links that come and go. */

import type { FileNumber, NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { closeLink } from './clients.ts';
import { noteDegraded } from './degraded.ts';
import { copiesOf, type DirectoryEntry } from './directory_entry.ts';
import { mayRenew, renewed } from './leases.ts';
import { resendTo, submit } from './scheduler.ts';
import {
  expel,
  fileExists,
  log,
  NOTHING_HELD,
  sendTo,
  type MemberRecord,
  type Server,
} from './server_state.ts';
import { isRequester, isWriting, newWriteBack, type Transaction } from './transaction.ts';
import { forgetSharer } from './transactions/get_shared.ts';

/** The members as others know them: each node once. */
export const presentMembers = (server: Server): MemberRecord[] =>
  [...server.members.values()].filter(({ former }) => !former);

/** The member list as every cacher gets it. */
export const memberList = (server: Server): Message<'members'> => ({
  type: 'members',
  members: presentMembers(server).map(({ node, incarnation, address }) => ({
    node,
    incarnation,
    address,
  })),
});

export const tellMembers = (server: Server): void => {
  noteDegraded(server);
  const message = memberList(server);
  for (const node of server.members.keys()) sendTo(server, node, message);
};

/** Takes a member's hints and answers with the copy counts it asks for. */
export const heartbeat = (
  server: Server,
  member: MemberRecord,
  message: Message<'heartbeat'>,
): void => {
  if (message.registration !== member.firstClient) {
    // It goes by an earlier registration, whose lease ran out: what it would keep by that may be stale.
    expel(server, member.link, message.registration);
    return;
  }
  member.freePages = message.freePages;
  member.oldestUseMs = message.oldestUseMs;
  member.heartbeatMs = server.now;
  if (member.fresh) {
    member.fresh = false;
    member.untold = NOTHING_HELD;
    resendTo(server, member.node);
  }
  if (!mayRenew(server, member, message.echo)) return;
  const hints = message.candidates
    .filter((file) => fileExists(server, file))
    .map((file) => {
      const entry = server.entries.get(file);
      return { file, copies: entry === undefined ? 0 : copiesOf(entry) };
    });
  renewed(server, member, message.sequence);
  sendTo(server, member.node, { type: 'heartbeatAck', sequence: message.sequence, hints });
};

/** A member wants to go: every dirty file it has a part in is written back first. */
export const leave = (server: Server, member: MemberRecord): void => {
  if (!member.leaving) log(server, 'info', `${member.node} leaves`);
  member.leaving = true;
  noteDegraded(server);
  for (const entry of server.entries.values()) writeBackFor(server, entry, member.node);
  release(server);
};

const writeBackFor = (server: Server, entry: DirectoryEntry, node: NodeId): void => {
  if (entry.owner !== node && entry.backup !== node) return;
  submitWriteBack(server, entry.file);
};

/** Writes a file back on the server's own account. */
export const submitWriteBack = (server: Server, file: FileNumber): void => {
  submit(server, newWriteBack(file, { kind: 'server' }, 0));
};

/** The transaction asks, has asked or will ask something of `node`. */
export const concerns = (transaction: Transaction, node: NodeId): boolean =>
  isRequester(transaction, node) ||
  transaction.awaited.some((each) => each.from === node || each.resend.to === node) ||
  // The new pair is not in the directory before the grant; the old backup is not after it.
  (transaction.kind === 'getModified' &&
    (transaction.backup === node || transaction.release === node)) ||
  (transaction.kind === 'recover' && (transaction.source === node || transaction.backup === node));

/** True while the cluster still needs something of `node`. */
const involved = (server: Server, node: NodeId): boolean => {
  for (const entry of server.entries.values()) {
    if (entry.owner === node || entry.backup === node) return true;
    if (entry.queue.some((each) => concerns(each, node))) return true;
  }
  return [...server.running.values()].some(
    (each) => concerns(each, node) || hasReported(each, node),
  );
};

/** A recovery goes by what it has said: it may be made owner of it, or told to let go of it. */
const hasReported = (transaction: Transaction, node: NodeId): boolean =>
  transaction.kind === 'recover' && transaction.asked.includes(node);

/** Lets go of the leaving members that nothing needs any more. Called after every transaction. */
export const release = (server: Server): void => {
  for (const member of [...server.members.values()]) {
    if (!member.leaving) continue;
    for (const entry of server.entries.values()) {
      // A transaction that ran in between may have given it a part again.
      const mine = entry.owner === member.node || entry.backup === member.node;
      if (mine && entry.writer === undefined && !entry.queue.some(isWriting)) {
        submitWriteBack(server, entry.file);
      }
    }
    if (involved(server, member.node)) continue;
    sendTo(server, member.node, { type: 'left' });
    remove(server, member);
    log(server, 'info', `${member.node} left`);
    tellMembers(server);
  }
};

export const remove = (server: Server, member: MemberRecord): void => {
  server.members.delete(member.node);
  server.links.delete(member.link);
  for (const entry of server.entries.values()) {
    entry.queue = entry.queue.filter((each) => !concerns(each, member.node));
    entry.reporters.delete(member.node);
    entry.leftovers.delete(member.node);
    forgetSharer(entry, member.node);
  }
  closeLink(server, member.link);
};
