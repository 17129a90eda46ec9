/**
 * Registration: who is admitted, under which lease, and what a member that comes back may keep
 * (design, section 5).
 */

import { FsError } from '../protocol/errors.ts';
import type { Holding } from '../protocol/fields.ts';
import { compareVersions, SERVER, type NodeId } from '../protocol/ids.ts';
import { MEMBERS_LIMIT, type Message } from '../protocol/messages.ts';
import { takeRange } from './client_ranges.ts';
import { reopen } from './clients.ts';
import { transition, type DirectoryEntry } from './directory_entry.ts';
import { becomeFormer } from './former_lives.ts';
import { checkHoldings } from './impossible_reports.ts';
import { lossList } from './lost_files.ts';
import { memberList, presentMembers, tellMembers } from './membership.ts';
import { preempt } from './scheduler.ts';
import type { Recover, Transaction } from './transaction.ts';
import {
  entryOf,
  expel,
  log,
  NOTHING_HELD,
  sendTo,
  type MemberRecord,
  type Server,
} from './server_state.ts';

type Register = Message<'register'>;

/** Which part of a lease a node must be silent for, after another life of it has come, to count as gone. */
const SILENCE_SHARE = 0.5;
/** And the ticks of the server's timer: what came while this process stood still has been heard by then. */
const SILENCE_TICKS = 2;

/** Throws FsError if this can never be a member. */
const check = (server: Server, link: string, message: Register): void => {
  const { node, incarnation, holdings } = message;
  if (link !== `${node}#${incarnation}` || node === SERVER) {
    throw new FsError('EPROTO', `${link} cannot register as ${node}, incarnation ${incarnation}`);
  }
  if (server.stopping && server.members.get(node)?.incarnation !== incarnation) {
    throw new FsError('ESHUTDOWN', 'the file server is stopping');
  }
  checkHoldings(server, node, holdings);
  if (!server.members.has(node) && presentMembers(server).length >= MEMBERS_LIMIT) {
    throw new FsError('EBUSY', `the cluster has its limit of ${MEMBERS_LIMIT} members already`);
  }
};

/**
 * A node of this name is a member, in another life. If that one goes on beating it is alive, and the newcomer
 * is refused: FsError EBUSY. True as long as that cannot be told.
 */
const mayBeAlive = (server: Server, link: string, known: MemberRecord): boolean => {
  const { node } = known;
  const waiting = server.newcomers.get(node);
  if (waiting?.link !== link) {
    server.newcomers.set(node, { link, sinceMs: server.now, ticks: 0 });
    return true;
  }
  const { heartbeatMs, leaseMs } = server.options;
  if (known.heartbeatMs <= waiting.sinceMs + heartbeatMs) {
    const sinceMs = Math.max(waiting.sinceMs, known.heartbeatMs);
    return server.now < sinceMs + leaseMs * SILENCE_SHARE || waiting.ticks < SILENCE_TICKS;
  }
  server.newcomers.delete(node);
  const text = `a cacher named ${node} is alive at ${known.address}: choose another name`;
  throw new FsError('EBUSY', text);
};

/** Admits a member, goes on with one whose link was new, or answers why not. */
export const register = (server: Server, link: string, message: Register): void => {
  const known = server.members.get(message.node);
  // An old self that goes on after all waits until its lease is over, like everybody.
  if (server.members.has(link as NodeId)) return;
  const over = known === undefined ? server.over.get(link) : undefined;
  if (over !== undefined && message.attempt <= over.attempt) {
    // A late repeat of what was answered by a registration that is over: what it says of holdings is old.
    expel(server, link, over.firstClient, over.attempt);
    return;
  }
  try {
    check(server, link, message);
    if (known !== undefined && known.incarnation !== message.incarnation) {
      if (mayBeAlive(server, link, known)) return;
      becomeFormer(server, known);
    }
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    const { code, message: text } = error;
    log(server, 'warn', `registration refused: ${text}`);
    const refusal = { type: 'registrationRefused', code, message: text } as const;
    server.commands.push({ do: 'send', to: link, message: refusal });
    return;
  }
  const member = server.members.get(message.node);
  if (member === undefined) admit(server, link, message);
  else resume(server, member, message);
};

/** The member learns of its registration, or of its admission once more if it may not have heard of it. */
const answer = (server: Server, member: MemberRecord, { attempt }: Register): void => {
  const { epoch, geometry, openPolicy, heartbeatMs, leaseMs } = server.options;
  const { members } = memberList(server);
  const terms = { epoch, geometry, openPolicy, heartbeatMs, leaseMs, members } as const;
  const { node, firstSequence, firstClient, untold } = member;
  const losses = lossList(server);
  const first = { firstSequence, firstClient, losses, attempt } as const;
  sendTo(server, node, { type: 'registered', ...terms, ...untold, ...first });
  tellMembers(server);
};

const resume = (server: Server, member: MemberRecord, message: Register): void => {
  server.links.set(member.link, member.node);
  // A repeat of what is answered already tells nothing new: whoever sends it may not hear us.
  if (!member.linkUp || message.attempt > member.attempt) {
    member.attempt = message.attempt;
    member.fresh = true;
    member.renewedMs = server.now;
    member.heardMs = server.now;
    member.acksSent.clear();
  }
  member.linkUp = true;
  member.heartbeatMs = server.now;
  answer(server, member, message);
};

const admit = (server: Server, link: string, message: Register): void => {
  const { node, incarnation, address, pages, holdings, writers } = message;
  const { now } = server;
  const firstClient = takeRange(server);
  // It asks again in a moment.
  if (firstClient === undefined) return;
  server.newcomers.delete(node);
  for (const each of server.over.keys()) if (each.startsWith(`${node}#`)) server.over.delete(each);
  const member: MemberRecord = {
    node,
    incarnation,
    link,
    linkUp: true,
    address,
    pages,
    freePages: pages,
    oldestUseMs: 0,
    heartbeatMs: now,
    renewedMs: now,
    heardMs: now,
    acksSent: new Map(),
    fresh: true,
    firstClient,
    firstSequence: server.nextSequence,
    leaving: false,
    former: false,
    fenced: false,
    attempt: message.attempt,
    untold: NOTHING_HELD,
  };
  server.members.set(node, member);
  server.links.set(link, node);
  reopen(server, link, writers);
  log(server, 'info', `${node} registered, ${pages} pages, at ${address}`);
  // Listed as sharer before it is answered, so that no write can pass it by.
  const kept = holdings.filter((each) => keepClean(server, node, each)).map(({ file }) => file);
  const wanted = holdings.filter((each) => isWanted(server, each)).map(({ file }) => file);
  member.untold = { kept, wanted };
  answer(server, member, message);
  const held = new Set(wanted);
  for (const entry of [...server.entries.values()]) {
    if (held.has(entry.file)) entry.reporters.add(node);
    else if (isMissed(server, entry, node)) entry.empty.add(node);
    // A recovery that runs asks the newcomer too.
    if (held.has(entry.file) && isGathering(server, entry)) preempt(server, entry);
    if (entry.unavailable) tryRecovery(server, entry);
  }
};

/** The disk names it as a holder, and nobody else may have what it held. */
const isMissed = (server: Server, entry: DirectoryEntry, node: NodeId): boolean => {
  const { mark } = server.meta(entry.file);
  const named = mark?.owner === node || mark?.backup === node;
  return named && (entry.unavailable || isRecovering(server, entry));
};

/** A clean copy stays only if the file is not dirty and the version is the very same. */
const keepClean = (server: Server, node: NodeId, { file, kind, version }: Holding): boolean => {
  if (kind !== 'clean') return false;
  const entry = entryOf(server, file);
  const same = compareVersions(entry.version, version) === 0;
  const quiet = entry.state !== 'dirty' && sparesSharers(server, entry) && !isToRecover(entry);
  if (!same || !quiet || server.meta(file).mark !== undefined) return false;
  entry.sharers.add(node);
  transition(entry, 'read');
  server.damaged.get(file)?.delete(node);
  return true;
};

/**
 * Whatever writes the file has not come to recall its clean copies, and will recall all that are listed then; until
 * then one of them can make a damaged disk good.
 */
const sparesSharers = (server: Server, entry: DirectoryEntry): boolean => {
  if (entry.writer === undefined) return true;
  const running = writerOf(server, entry);
  switch (running?.kind) {
    case 'verify':
      return true;
    case 'getModified':
      return running.phase === 'supply' || running.phase === 'withdraw';
    case 'writeThrough':
      return running.phase === 'load';
    default:
      return false;
  }
};

/**
 * Dirty contents of the term on the disk are wanted while the file is not safe elsewhere, and so is the proof that nothing
 * was written under that term: its holders are out of reach, or a recovery is under way, which may lose another node
 * before it has a new pair.
 */
const isWanted = (server: Server, { file, kind, term }: Holding): boolean => {
  const entry = entryOf(server, file);
  const { mark } = server.meta(file);
  const counts = (mark !== undefined && term >= mark.term) || term === termToCome(server, entry);
  if (kind === 'clean' || !counts) return false;
  return isRecovering(server, entry) || (entry.unavailable && entry.writer === undefined);
};

/** The writing transaction that runs on the file. */
const writerOf = ({ running }: Server, { writer }: DirectoryEntry): Transaction | undefined =>
  writer === undefined ? undefined : running.get(writer);

/** The term of a mark that the disk is being told, and may have when a recovery that waits for it begins. */
const termToCome = (server: Server, entry: DirectoryEntry): number | undefined => {
  const running = writerOf(server, entry);
  return running?.kind === 'getModified' && running.phase === 'record' ? running.term : undefined;
};

const recoveryOf = (server: Server, entry: DirectoryEntry): Recover | undefined => {
  const running = writerOf(server, entry);
  return running?.kind === 'recover' ? running : undefined;
};

/** A recovery waits for its turn. */
const isToRecover = ({ queue }: DirectoryEntry): boolean => queue[0]?.kind === 'recover';

/** A recovery runs, or is about to. */
const isRecovering = (server: Server, entry: DirectoryEntry): boolean =>
  entry.preempting || isToRecover(entry) || recoveryOf(server, entry) !== undefined;

/** A recovery runs, or is about to, and has not heard from everybody yet. */
const isGathering = (server: Server, entry: DirectoryEntry): boolean =>
  entry.preempting || isToRecover(entry) || recoveryOf(server, entry)?.phase === 'report';

/**
 * Takes up a file whose holders were all out of reach, once one of them is back, or both are known to have nothing.
 * Not in the quiet time after a restart of the server, even if both are back with what they held: nodes that the
 * directory does not know any more may read copies of it as long as they have leases, and a new pair may write.
 */
export const tryRecovery = (server: Server, entry: DirectoryEntry): void => {
  if (!entry.unavailable || entry.writer !== undefined) return;
  if (server.now < server.quietUntilMs) return;
  const isEmpty = (node: NodeId | undefined): boolean =>
    node !== undefined && entry.empty.has(node);
  const nothingIsLeft = isEmpty(entry.owner) && isEmpty(entry.backup);
  if (entry.reporters.size > 0 || nothingIsLeft) preempt(server, entry);
};
