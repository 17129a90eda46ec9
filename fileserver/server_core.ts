/**
 * The file server without I/O: messages, disk completions and time go in, commands come out.
 * The shell (daemon.ts), the simulator and tests drive it alike.
 */

import { FsError } from '../protocol/errors.ts';
import type { FileNumber, NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { filesInWords, STOP_LIMIT_MS } from '../protocol/stopping.ts';
import {
  clientFlush,
  clientRequest,
  closeLink,
  closeWriter,
  hello,
  openHeld,
  openWriter,
} from './clients.ts';
import { epochTaken, newClientRanges } from './client_ranges.ts';
import type { FileMeta } from './disk/disk_core.ts';
import { FileMemory } from './file_memory.ts';
import { flush } from './flushes.ts';
import { afterPause, lostAtMs, marginMs } from './leases.ts';
import { expireLeases } from './losses.ts';
import { forget, giveUpMissing } from './lost_files.ts';
import { memberRequest } from './member_requests.ts';
import { heartbeat, leave, release, submitWriteBack } from './membership.ts';
import { register, tryRecovery } from './registration.ts';
import { OpenWriters } from './open_writers.ts';
import {
  answered,
  committed,
  fileRead,
  resendDue,
  runQueue,
  startRecoveries,
} from './scheduler.ts';
import {
  expel,
  fileExists,
  log,
  newCounters,
  noSuchFile,
  sendTo,
  type MemberRecord,
  type Server,
  type ServerCommand,
  type ServerOptions,
} from './server_state.ts';
import { scrub } from './scrub.ts';
import { statusOf, whereIs } from './status.ts';
import { firstTermFloor } from './terms.ts';
import { isWriting } from './transaction.ts';
import { forgetSharer } from './transactions/get_shared.ts';
import { rerouteStuck, unreachable } from './unreachable.ts';

export const newServer = (
  options: ServerOptions,
  cachePages: number,
  meta: (file: FileNumber) => FileMeta,
): Server => ({
  options,
  meta,
  now: 0,
  termFloor: firstTermFloor(options.epoch),
  nextSequence: 1,
  nextToken: 1,
  nextClient: 0,
  ranges: newClientRanges(options.epoch),
  stopping: false,
  stopped: false,
  stopDeadlineMs: Infinity,
  longestLeaseMs: options.leaseMs,
  quietUntilMs: 0,
  lastTickMs: 0,
  newcomers: new Map(),
  reprotection: undefined,
  lastReprotectionMs: undefined,
  recovering: new Set(),
  recoveriesWaiting: { urgent: new Set(), others: new Set() },
  recoveryDue: undefined,
  losses: new Map(),
  unavailableSince: new Map(),
  apart: new Map(),
  degraded: true,
  flushes: [],
  members: new Map(),
  links: new Map(),
  clients: new Map(),
  entries: new Map(),
  running: new Map(),
  tokens: new Map(),
  memory: new FileMemory(cachePages, options.geometry.blocksPerFile),
  openWriters: new OpenWriters(),
  scrub: { nextFile: 0, dueMs: Infinity, passes: 0 },
  over: new Map(),
  damaged: new Map(),
  counters: newCounters(),
  commands: [],
});

export { restoreLosses, restoreMarks } from './lost_files.ts';

/** One message from the link named `link`. Nothing in it can make this throw but a broken invariant. */
export const handleMessage = (
  server: Server,
  link: string,
  message: Message,
  now: number,
): void => {
  server.now = now;
  const node = server.links.get(link);
  const member = node === undefined ? undefined : server.members.get(node);
  if (member === undefined) fromStranger(server, link, message);
  else if (!member.fenced) fromMember(server, member, message);
  afterEvent(server);
};

const fromStranger = (server: Server, link: string, message: Message): void => {
  switch (message.type) {
    case 'register':
      register(server, link, message);
      break;
    case 'hello':
      hello(server, link, message);
      break;
    case 'open':
    case 'read':
    case 'write':
    case 'close':
      clientRequest(server, link, message);
      break;
    case 'where':
    case 'status':
      inquiry(server, link, message);
      break;
    case 'flush':
      clientFlush(server, link, message);
      break;
    case 'forget':
      forget(server, link, message);
      break;
    case 'heartbeat':
      expel(server, link, message.registration);
      break;
    default:
      log(server, 'warn', `${message.type} from ${link}, which has not registered: dropped`);
  }
};

const inquiry = (server: Server, link: string, message: Message<'where' | 'status'>): void => {
  const { request } = message;
  let reply: Message;
  if (message.type === 'status') reply = statusOf(server, request);
  else if (fileExists(server, message.file)) reply = whereIs(server, request, message.file);
  else reply = noSuchFile(server, request, message.file);
  server.commands.push({ do: 'send', to: link, message: reply });
};

const fromMember = (server: Server, member: MemberRecord, message: Message): void => {
  const { node } = member;
  if ('file' in message && message.type !== 'flush' && !fileExists(server, message.file)) {
    log(
      server,
      'warn',
      `${message.type} of ${node} names file ${message.file}, which does not exist`,
    );
    if ('request' in message) {
      sendTo(server, node, noSuchFile(server, message.request, message.file));
    }
    return;
  }
  switch (message.type) {
    case 'register':
      register(server, member.link, message);
      break;
    case 'heartbeat':
      heartbeat(server, member, message);
      break;
    case 'leave':
      leave(server, member);
      break;
    case 'where':
    case 'status':
      inquiry(server, member.link, message);
      break;
    case 'flush':
      flush(server, member.link, message);
      break;
    case 'getShared':
    case 'getModified':
    case 'writeBack':
    case 'recirculate':
    case 'readThrough':
    case 'writeThrough':
      memberRequest(server, node, message);
      break;
    case 'openWriter': {
      const { file, request, client } = message;
      openWriter(server, file, { link: member.link, client, request });
      break;
    }
    case 'closeWriter': {
      const { file, request, client, opening } = message;
      closeWriter(server, file, { link: member.link, client }, opening);
      sendTo(server, node, { type: 'writerClosed', request });
      break;
    }
    case 'evicted':
      evicted(server, node, message.file);
      break;
    case 'unreachable':
      unreachable(server, node, message);
      break;
    default:
      answer(server, member, message);
  }
};

/** Late and repeated answers to orders are normal after a link broke; anything else is not. */
const answer = (server: Server, member: MemberRecord, message: Message): void => {
  const { node } = member;
  try {
    if (answered(server, node, message) || 'order' in message) return;
    log(server, 'warn', `${message.type} of ${node} is not for a file server: dropped`);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    log(server, 'warn', `${error.message}: ${node} is not listened to until its lease is over`);
    member.fenced = true;
  }
};

/** A cacher dropped a clean copy. The running transactions learn it from its own answers. */
const evicted = (server: Server, node: NodeId, file: FileNumber): void => {
  const entry = server.entries.get(file);
  if (entry === undefined || !entry.sharers.has(node)) return;
  forgetSharer(entry, node);
  entry.eviction = `dropped by ${node}`;
};

/** A link to a member or an application is gone. */
export const handleLinkDown = (server: Server, link: string, now: number): void => {
  server.now = now;
  const node = server.links.get(link);
  const member = node === undefined ? undefined : server.members.get(node);
  if (member !== undefined) {
    member.linkUp = false;
    log(server, 'warn', `the link to ${member.node} is down`);
  } else if (!server.members.has(link as NodeId)) {
    // What a former life has open stays so until its lease is over.
    closeLink(server, link);
  }
  afterEvent(server);
};

/** The bytes that the disk read, or the reason why it could not. */
export const handleFileRead = (
  server: Server,
  token: number,
  bytes: Uint8Array | string,
  now: number,
): void => {
  server.now = now;
  fileRead(server, token, bytes);
  afterEvent(server);
};

/** The records of one commit are synced. */
export const handleCommitted = (server: Server, token: number, now: number): void => {
  server.now = now;
  if (!epochTaken(server, token)) committed(server, token);
  afterEvent(server);
};

/** Writes every dirty file back, then stops. */
export const handleStop = (server: Server, now: number): void => {
  server.now = now;
  if (server.stopping) return;
  server.stopping = true;
  server.stopDeadlineMs = now + STOP_LIMIT_MS;
  for (const entry of server.entries.values()) {
    const writing = entry.writer !== undefined || entry.queue.some(isWriting);
    if (entry.state === 'dirty' || writing) submitWriteBack(server, entry.file);
  }
  afterEvent(server);
};

export const handleTimeout = (server: Server, now: number): void => {
  server.now = now;
  for (const newcomer of server.newcomers.values()) newcomer.ticks++;
  noticePause(server);
  // Some that run may be unable to go on: they hold up nobody for longer than a heartbeat.
  startRecoveries(server, server.recovering.size);
  expireLeases(server);
  giveUpMissing(server);
  rerouteStuck(server);
  resendDue(server);
  if (server.quietUntilMs > 0 && now >= server.quietUntilMs) endQuiet(server);
  scrub(server);
  afterEvent(server);
};

/** The timer comes every heartbeat: a gap means that this process stood still, not the members. */
const noticePause = (server: Server): void => {
  const { heartbeatMs } = server.options;
  const late = server.now - server.lastTickMs - heartbeatMs;
  if (server.lastTickMs > 0 && late > marginMs(server) / 2) {
    log(server, 'warn', `stood still for ${late.toFixed(0)} ms: all lease waits start again`);
    afterPause(server, late);
    if (server.now < server.quietUntilMs) server.quietUntilMs += late;
  }
  server.lastTickMs = server.now;
};

/**
 * After a restart: holders of leases of the server's last life may serve until the longest of them is
 * over, and a margin. Until then nothing is written.
 */
export const startQuiet = (server: Server, longestLeaseMs: number, now: number): void => {
  server.now = now;
  if (longestLeaseMs === 0) return;
  // The lease may be longer than those of this life, and so may be what a slow clock makes of it.
  server.longestLeaseMs = Math.max(server.options.leaseMs, longestLeaseMs);
  server.quietUntilMs = now + longestLeaseMs + marginMs(server, server.longestLeaseMs);
};

const endQuiet = (server: Server): void => {
  server.quietUntilMs = 0;
  openHeld(server);
  for (const entry of [...server.entries.values()]) {
    tryRecovery(server, entry);
    runQueue(server, entry);
  }
};

/** When `handleTimeout` is due, in the caller's clock. */
export const nextTimeout = (server: Server): number => {
  const tickMs = server.lastTickMs + server.options.heartbeatMs;
  let due = Math.min(server.stopDeadlineMs, tickMs, server.scrub.dueMs);
  for (const member of server.members.values()) due = Math.min(due, lostAtMs(server, member));
  return due;
};

/** The files whose newest contents are on nodes, not on the disk. */
export const dirtyFiles = (server: Server): FileNumber[] =>
  [...server.entries.values()].filter(({ state }) => state === 'dirty').map(({ file }) => file);

const afterEvent = (server: Server): void => {
  release(server);
  if (!server.stopping || server.stopped) return;
  const dirty = dirtyFiles(server);
  const late = server.now >= server.stopDeadlineMs;
  // An unavailable file cannot be waited for: its mark on the disk keeps it for the next start.
  const coming = dirty.some((file) => server.entries.get(file)?.unavailable !== true);
  if (!late && (coming || server.running.size > 0)) return;
  if (dirty.length > 0) {
    log(server, 'warn', `stopping with dirty files on their nodes: ${filesInWords(dirty)}`);
  }
  server.stopped = true;
  server.stopDeadlineMs = Infinity;
  server.commands.push({ do: 'stop', complete: dirty.length === 0 });
};

/** The next command for the shell; undefined when there is none. */
export const pollCommand = (server: Server): ServerCommand | undefined => server.commands.shift();
