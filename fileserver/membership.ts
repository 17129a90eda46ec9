/** Who is in the cluster: registration, heartbeats, leaving, links that come and go. */

import { FsError } from '../protocol/errors.ts';
import { SERVER, type FileNumber, type NodeId } from '../protocol/ids.ts';
import { MEMBERS_LIMIT, type Message } from '../protocol/messages.ts';
import { closeLink } from './clients.ts';
import { copiesOf, type DirectoryEntry } from './directory_entry.ts';
import { resendTo, submit } from './scheduler.ts';
import { fileExists, log, sendTo, type MemberRecord, type Server } from './server_state.ts';
import { isWriting, newTransaction, type Transaction } from './transaction.ts';
import { forgetSharer } from './transactions/get_shared.ts';

/** The member list as every cacher gets it. */
const memberList = (server: Server): Message<'members'> => ({
  type: 'members',
  members: [...server.members.values()].map(({ node, incarnation, address }) => ({
    node,
    incarnation,
    address,
  })),
});

const tellMembers = (server: Server): void => {
  const message = memberList(server);
  for (const node of server.members.keys()) sendTo(server, node, message);
};

/** Throws FsError if the newcomer cannot be admitted. */
const checkNewcomer = (server: Server, link: string, message: Message<'register'>): void => {
  const { node, incarnation } = message;
  if (link !== `${node}#${incarnation}` || node === SERVER) {
    throw new FsError('EPROTO', `${link} cannot register as ${node}, incarnation ${incarnation}`);
  }
  if (server.stopping) throw new FsError('ESHUTDOWN', 'the file server is stopping');
  const known = server.members.get(node);
  if (known === undefined && server.members.size >= MEMBERS_LIMIT) {
    throw new FsError(
      'EBUSY',
      `the cluster has ${MEMBERS_LIMIT} members already, which is its limit`,
    );
  }
  if (known === undefined || known.incarnation === incarnation) return;
  if (known.linkUp) {
    throw new FsError(
      'EBUSY',
      `a cacher named ${node} is alive at ${known.address}: choose another name`,
    );
  }
  if (involved(server, node)) {
    throw new FsError('EBUSY', `${node} was lost with files that only its old self can hand over`);
  }
};

export const register = (server: Server, link: string, message: Message<'register'>): void => {
  try {
    checkNewcomer(server, link, message);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    const { code, message: text } = error;
    log(server, 'warn', `registration refused: ${text}`);
    const refusal = { type: 'registrationRefused', code, message: text } as const;
    server.commands.push({ do: 'send', to: link, message: refusal });
    return;
  }
  const { node, incarnation, address, pages } = message;
  const known = server.members.get(node);
  if (known?.incarnation === incarnation) {
    known.linkUp = true;
  } else {
    if (known !== undefined) remove(server, known);
    const hints = { freePages: pages, oldestUseMs: 0, heartbeats: 0 };
    const record = { node, incarnation, link, linkUp: true, address, pages, ...hints };
    server.members.set(node, { ...record, leaving: false });
    server.links.set(link, node);
    log(server, 'info', `${node} registered, ${pages} pages, at ${address}`);
  }
  const { epoch, geometry, openPolicy, heartbeatMs } = server.options;
  const { members } = memberList(server);
  sendTo(server, node, { type: 'registered', epoch, geometry, openPolicy, heartbeatMs, members });
  tellMembers(server);
  resendTo(server, node);
};

/** Takes a member's hints and answers with the copy counts it asks for. */
export const heartbeat = (
  server: Server,
  member: MemberRecord,
  message: Message<'heartbeat'>,
): void => {
  member.freePages = message.freePages;
  member.oldestUseMs = message.oldestUseMs;
  member.heartbeats++;
  const hints = message.candidates
    .filter((file) => fileExists(server, file))
    .map((file) => {
      const entry = server.entries.get(file);
      return { file, copies: entry === undefined ? 0 : copiesOf(entry) };
    });
  sendTo(server, member.node, { type: 'heartbeatAck', sequence: message.sequence, hints });
};

/** A member wants to go: every dirty file it has a part in is written back first. */
export const leave = (server: Server, member: MemberRecord): void => {
  if (!member.leaving) log(server, 'info', `${member.node} leaves`);
  member.leaving = true;
  for (const entry of server.entries.values()) writeBackFor(server, entry, member.node);
  release(server);
};

const writeBackFor = (server: Server, entry: DirectoryEntry, node: NodeId): void => {
  if (entry.owner !== node && entry.backup !== node) return;
  submitWriteBack(server, entry.file);
};

/** Writes a file back on the server's own account. */
export const submitWriteBack = (server: Server, file: FileNumber): void => {
  const base = newTransaction(file, { kind: 'server' }, 0);
  submit(server, { ...base, kind: 'writeBack', phase: 'collect' });
};

/** The transaction asks, has asked or will ask something of `node`. */
const concerns = (transaction: Transaction, node: NodeId): boolean =>
  (transaction.requester.kind === 'member' && transaction.requester.node === node) ||
  transaction.awaited.some((each) => each.from === node || each.resend.to === node) ||
  // The new pair is not in the directory before the grant; the old backup is not after it.
  (transaction.kind === 'getModified' &&
    (transaction.backup === node || transaction.release === node));

/** True while the cluster still needs something of `node`. */
const involved = (server: Server, node: NodeId): boolean => {
  for (const entry of server.entries.values()) {
    if (entry.owner === node || entry.backup === node) return true;
    if (entry.queue.some((each) => concerns(each, node))) return true;
  }
  return [...server.running.values()].some((each) => concerns(each, node));
};

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

const remove = (server: Server, member: MemberRecord): void => {
  server.members.delete(member.node);
  server.links.delete(member.link);
  for (const entry of server.entries.values()) {
    entry.queue = entry.queue.filter((each) => !concerns(each, member.node));
    forgetSharer(entry, member.node);
  }
  closeLink(server, member.link);
};
