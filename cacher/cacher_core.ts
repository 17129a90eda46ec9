/**
 * The cacher without I/O: messages of the server, of peers and of applications go in, and time;
 * commands come out. The shell (daemon.ts), the simulator and tests drive it alike.
 */

import { SERVER, type FileNumber, type NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { STOP_LIMIT_MS } from '../protocol/stopping.ts';
import { applicationClosed, applicationMessage, relayedAnswer } from './applications.ts';
import { backupAck, backupRefused, backupWrite, sendWrite } from './backup_writes.ts';
import { move, type CachedFile } from './cached_file.ts';
import {
  cachedFile,
  isOfWrongSize,
  log,
  sendToServer,
  type Cacher,
  type CacherCommand,
  type CacherOptions,
} from './cacher_state.ts';
import { lost } from './losses.ts';
import {
  pump,
  pumpWaiting,
  readThroughDone,
  requestFailed,
  writeThroughDone,
} from './operations.ts';
import { isCurrent } from './order_fence.ts';
import * as orders from './orders.ts';
import { evict, releasePages } from './pages.ts';
import { confirmBackup, promote, protectedAgain, recover } from './recovery.ts';
import {
  DEFAULT_TICK_MS,
  expelled,
  heartbeatAck,
  members,
  refused,
  registered,
  serverDown,
  serverUp,
  tick,
} from './registration.ts';
import { goOnStopping, stopNow } from './stopping.ts';

export const newCacher = (options: CacherOptions, now: number): Cacher => ({
  options,
  now,
  registration: undefined,
  admitted: false,
  retryAtMs: -Infinity,
  serverUp: false,
  members: [],
  stopping: false,
  leaveSent: false,
  stopped: false,
  stopDeadlineMs: Infinity,
  files: new Map(),
  freePages: options.pages,
  waitingForPages: [],
  applications: new Map(),
  relayed: new Map(),
  losses: new Map(),
  nextRequest: 1,
  nextClient: 0,
  registerAttempt: 0,
  nextTickMs: now + DEFAULT_TICK_MS,
  heartbeats: 0,
  heartbeatsSent: new Map(),
  echo: 0,
  registerSentMs: now,
  leaseUntilMs: -Infinity,
  counters: {
    reads: 0,
    readsLocal: 0,
    readsPeer: 0,
    readsServer: 0,
    readsDisk: 0,
    readsThrough: 0,
    writes: 0,
    writesTwoMemories: 0,
    writesDisk: 0,
    evictionsClean: 0,
    evictionsWrittenBack: 0,
    recirculated: 0,
    backupsRefused: 0,
    leasesLost: 0,
    timedOut: 0,
  },
  commands: [],
});

/** A link to the server or to another cacher is up, for the first time or again. */
export const handlePeerUp = (cacher: Cacher, peer: NodeId, now: number): void => {
  cacher.now = now;
  if (peer === SERVER) serverUp(cacher);
  for (const cached of cacher.files.values()) {
    if (cached.backup === peer && cached.write !== undefined) sendWrite(cacher, cached);
  }
  afterEvent(cacher);
};

export const handlePeerDown = (cacher: Cacher, peer: NodeId, now: number): void => {
  cacher.now = now;
  if (peer === SERVER) serverDown(cacher);
  afterEvent(cacher);
};

/** One message of the file server or of another cacher. */
export const handleMessage = (
  cacher: Cacher,
  from: NodeId,
  message: Message,
  now: number,
): void => {
  cacher.now = now;
  const outside =
    'file' in message &&
    message.file >= (cacher.registration?.geometry.files ?? 0) &&
    message.type !== 'whereDone';
  if (outside) {
    log(
      cacher,
      'warn',
      `${message.type} of ${from} names file ${message.file}, which does not exist`,
    );
  } else if (isOfWrongSize(cacher, message)) {
    log(cacher, 'warn', `${message.type} of ${from} does not hold a whole file: dropped`);
  } else if (!isCurrent(cacher, message)) {
    log(cacher, 'info', `${message.type} of ${from} is of another epoch: dropped`);
  } else if (from === SERVER) {
    fromServer(cacher, message);
  } else {
    fromPeer(cacher, from, message);
  }
  afterEvent(cacher);
};

const fromPeer = (cacher: Cacher, from: NodeId, message: Message): void => {
  switch (message.type) {
    case 'data':
      fileMessage(cacher, message, orders.data);
      break;
    case 'backupWrite': {
      const cached = backupWrite(cacher, from, message);
      if (cached !== undefined) pump(cacher, cached);
      break;
    }
    case 'backupAck': {
      const cached = backupAck(cacher, from, message);
      if (cached === undefined) break;
      protectedAgain(cacher, cached);
      pump(cacher, cached);
      break;
    }
    case 'backupRefused':
      backupRefused(cacher, from, message);
      break;
    default:
      log(cacher, 'warn', `${message.type} of ${from} is not for a cacher: dropped`);
  }
};

const fromServer = (cacher: Cacher, message: Message): void => {
  switch (message.type) {
    case 'registered':
      registered(cacher, message);
      pumpAll(cacher);
      break;
    case 'registrationRefused':
      refused(cacher, message);
      break;
    case 'members':
      members(cacher, message.members);
      break;
    case 'heartbeatAck':
      if (heartbeatAck(cacher, message)) pumpAll(cacher);
      break;
    case 'expelled':
      expelled(cacher, message);
      break;
    case 'left':
      stopNow(cacher);
      break;
    case 'whereDone':
    case 'flushed':
    case 'writerOpened':
    case 'writerClosed':
      relayedAnswer(cacher, message);
      break;
    case 'failed':
      if (!relayedAnswer(cacher, message)) failed(cacher, message);
      break;
    default:
      if (!answer(cacher, message) && !order(cacher, message)) {
        log(cacher, 'warn', `${message.type} of the server is not for a cacher: dropped`);
      }
  }
};

const pumpAll = (cacher: Cacher): void => {
  for (const cached of [...cacher.files.values()]) pump(cacher, cached);
};

/** Final answers to this cacher's requests. False if the message is none. */
const answer = (cacher: Cacher, message: Message): boolean => {
  switch (message.type) {
    case 'writtenBack':
    case 'recirculateRefused':
    case 'alreadyHeld':
      fileMessage(cacher, message, requestOver);
      return true;
    case 'readThroughDone':
      fileMessage(cacher, message, readThroughDone);
      return true;
    case 'writeThroughDone':
      fileMessage(cacher, message, keepWritten);
      return true;
    case 'noBackup':
      fileMessage(cacher, message, orders.noBackup);
      return true;
    default:
      return false;
  }
};

/** Orders, and the data and grants that requests lead to. False if the message is none. */
const order = (cacher: Cacher, message: Message): boolean => {
  switch (message.type) {
    case 'forward':
    case 'freeze':
    case 'collect':
    case 'readOnce':
      fileMessage(cacher, message, (_, cached) => {
        if (orders.isDueAtOnce(cached, message)) orders.execute(cacher, cached, message);
        else orders.defer(cached, message);
      });
      return true;
    case 'recover':
      fileMessage(cacher, message, recover);
      return true;
    case 'promote':
      fileMessage(cacher, message, promote);
      return true;
    case 'confirmBackup':
      fileMessage(cacher, message, confirmBackup);
      return true;
    case 'lost':
      fileMessage(cacher, message, lost);
      return true;
    case 'invalidate':
      fileMessage(cacher, message, orders.invalidate);
      return true;
    case 'drop':
      fileMessage(cacher, message, orders.drop);
      return true;
    case 'prepareBackup':
      fileMessage(cacher, message, orders.prepareBackup);
      return true;
    case 'prepareOwner':
      fileMessage(cacher, message, orders.prepareOwner);
      return true;
    case 'grant':
      fileMessage(cacher, message, orders.grant);
      return true;
    case 'clean':
      fileMessage(cacher, message, orders.clean);
      return true;
    case 'fetch':
      fileMessage(cacher, message, orders.giveCopy);
      return true;
    case 'expect':
      fileMessage(cacher, message, orders.expect);
      return true;
    case 'data':
      fileMessage(cacher, message, orders.data);
      return true;
    default:
      return false;
  }
};

/** Hands a message to the file it is about; then the file goes on as far as it can. */
const fileMessage = <M extends Message & { readonly file: FileNumber }>(
  cacher: Cacher,
  message: M,
  handle: (cacher: Cacher, cached: CachedFile, message: M) => void,
): void => {
  const cached = cachedFile(cacher, message.file);
  handle(cacher, cached, message);
  pump(cacher, cached);
  tidy(cacher, cached);
};

/** A request ended without contents. */
const requestOver = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'writtenBack' | 'recirculateRefused' | 'alreadyHeld'>,
): void => {
  if (cached.want?.message.request !== message.request) return;
  const type = cached.want.message.type;
  cached.want = undefined;
  // Nobody has room for a last copy: it goes, unless somebody here wants it again.
  const unwanted = cached.copy === 'shared' && cached.operations.length === 0;
  if (type === 'recirculate' && unwanted) evict(cacher, cached);
};

/** A write went to the disk; the writer that kept pages has the new contents as a clean copy. */
const keepWritten = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'writeThroughDone'>,
): void => {
  const { order, file } = message;
  sendToServer(cacher, { type: 'received', order, file, held: true });
  if (writeThroughDone(cacher, cached, message) === undefined) return;
  if (message.bytes.length === 0) return;
  if (cached.pages === 0 || cached.copy !== 'invalid') {
    sendToServer(cacher, { type: 'evicted', file: cached.file });
    return;
  }
  move(cached, 'kept');
  cached.pledge = undefined;
  cached.bytes = message.bytes.slice();
  cached.version = message.version;
  cached.outcomes = message.outcomes;
  cached.installed = message.order;
  cached.copies = 1;
  cached.lastUsedMs = cacher.now;
};

const failed = (cacher: Cacher, message: Message<'failed'>): void => {
  for (const cached of cacher.files.values()) {
    if (cached.want?.message.request !== message.request) continue;
    requestFailed(cacher, cached, message);
    pump(cacher, cached);
    tidy(cacher, cached);
    return;
  }
};

/** Pages kept for contents that will not come any more are given back. */
const tidy = (cacher: Cacher, cached: CachedFile): void => {
  const idle = cached.want === undefined && cached.operations.length === 0;
  if (cached.copy !== 'invalid' || !idle) return;
  if (cached.pages > 0) releasePages(cacher, cached);
  // What was promised or refused must be known when an order is repeated.
  const remembered = cached.declined !== undefined || cached.pledge !== undefined;
  if (cached.pages === 0 && cached.term === 0 && !remembered) cacher.files.delete(cached.file);
};

/** One message of an application on this node. */
export const handleApplication = (
  cacher: Cacher,
  link: string,
  message: Message,
  now: number,
): void => {
  cacher.now = now;
  applicationMessage(cacher, link, message);
  afterEvent(cacher);
};

export const handleApplicationClosed = (cacher: Cacher, link: string, now: number): void => {
  cacher.now = now;
  applicationClosed(cacher, link);
  afterEvent(cacher);
};

/** Finishes what the applications have begun, hands every dirty file over, then stops. */
export const handleStop = (cacher: Cacher, now: number): void => {
  cacher.now = now;
  if (!cacher.stopping) {
    cacher.stopping = true;
    cacher.stopDeadlineMs = now + STOP_LIMIT_MS;
  }
  afterEvent(cacher);
};

export const handleTimeout = (cacher: Cacher, now: number): void => {
  cacher.now = now;
  if (now >= cacher.nextTickMs) tick(cacher);
  afterEvent(cacher);
};

/** When `handleTimeout` is due, in the caller's clock. */
export const nextTimeout = (cacher: Cacher): number =>
  Math.min(cacher.nextTickMs, cacher.stopDeadlineMs);

const afterEvent = (cacher: Cacher): void => {
  pumpWaiting(cacher);
  goOnStopping(cacher);
};

export { unsavedFiles } from './stopping.ts';

/** The next command for the shell; undefined when there is none. */
export const pollCommand = (cacher: Cacher): CacherCommand | undefined => cacher.commands.shift();
