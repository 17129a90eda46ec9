/**
 * Runs the transactions of each file: one writing one at a time, first come first served, reading
 * ones together, other files never held up (rule 13).
 */

import { assert } from '../protocol/assert.ts';
import { FsError } from '../protocol/errors.ts';
import { compareOrders, fileSizeBytes, type NodeId } from '../protocol/ids.ts';
import { orderOf as orderOfMessage, type Message } from '../protocol/messages.ts';
import { needsDiskFirst } from './apart.ts';
import { checkEntry, type DirectoryEntry } from './directory_entry.ts';
import { noteClean } from './flushes.ts';
import { impossibleAnswer } from './impossible_reports.ts';
import {
  contentsOf,
  entryOf,
  failRequest,
  isFormer,
  orderOf,
  sendOrder,
  type Server,
} from './server_state.ts';
import { keepTerm } from './terms.ts';
import { mayRecover, nextRecovery, noLongerWaits, turnIsOver } from './recovery_turns.ts';
import { noteSafe } from './reprotection.ts';
import {
  isWriting,
  newRecover,
  newVerify,
  newWriteBack,
  restarted,
  sameRequester,
  type Awaited,
  type Recover,
  type Transaction,
} from './transaction.ts';
import { advance, begin, take } from './transactions/dispatch.ts';
import { mayArriveUnlisted } from './transactions/get_shared.ts';

/** How long a transaction waits for answers before it repeats its orders. */
export const RESEND_MS = 2000;

/** How many transactions of one file may wait. */
export const WAITING_LIMIT = 4096;

/** What a server that stops does not begin any more; members hand over what they hold. */
const isNewWork = ({ kind, requester }: Transaction): boolean =>
  requester.kind === 'member' && kind !== 'writeBack' && kind !== 'recirculate';

/** Takes a request up; one that is here already is repeated, not run twice (rule 16). */
export const submit = (server: Server, transaction: Transaction): void => {
  const entry = entryOf(server, transaction.file);
  const same = (other: Transaction): boolean =>
    other.kind === transaction.kind &&
    other.request === transaction.request &&
    sameRequester(other.requester, transaction.requester);
  if (entry.queue.some(same)) return;
  for (const sequence of [entry.writer, ...entry.readers]) {
    const running = sequence === undefined ? undefined : server.running.get(sequence);
    if (running === undefined || !same(running)) continue;
    resend(server, running);
    return;
  }
  if (server.stopping && isNewWork(transaction)) {
    const { requester, request } = transaction;
    failRequest(server, requester, request, 'ESHUTDOWN', 'the file server is stopping');
    return;
  }
  if (entry.queue.length >= WAITING_LIMIT && !mayAlwaysWait(transaction)) {
    const { file, request, requester } = transaction;
    const text = `${WAITING_LIMIT} requests for file ${file} wait already, which is the limit`;
    failRequest(server, requester, request, 'EBUSY', text);
    return;
  }
  entry.queue.push(transaction);
  runQueue(server, entry);
};

/** Write-backs make room for others (rule 12); a node has one of a file under way at most. */
const mayAlwaysWait = ({ kind, requester }: Transaction): boolean =>
  kind === 'writeBack' || requester.kind === 'server';

export const runQueue = (server: Server, entry: DirectoryEntry): void => {
  while (entry.writer === undefined) {
    const head = entry.queue[0];
    if (head === undefined) break;
    if (!entry.unavailable && needsDiskFirst(server, entry, head)) {
      entry.queue.unshift(newWriteBack(entry.file, { kind: 'server' }, 0));
      continue;
    }
    if (!mayStart(server, entry, head)) break;
    entry.queue.shift();
    start(server, entry, head);
  }
};

const mayStart = (server: Server, entry: DirectoryEntry, head: Transaction): boolean => {
  if (isWriting(head) && entry.readers.size > 0) return false;
  if (head.kind === 'recover') return mayRecover(server, entry);
  if (entry.unavailable || isFormer(server, entry.owner) || isFormer(server, entry.backup)) {
    return false;
  }
  // Holders of leases from before a restart may still read: nobody may write yet.
  return !isWriting(head) || server.now >= server.quietUntilMs;
};

/** Takes a transaction off: its orders are void. It starts anew later if `again`. */
export const abort = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Transaction,
  again = false,
): void => {
  assert(transaction.diskOperations === 0, 'a transaction ends before its disk operation');
  server.running.delete(transaction.sequence);
  server.recovering.delete(transaction.sequence);
  entry.readers.delete(transaction.sequence);
  if (entry.writer === transaction.sequence) entry.writer = undefined;
  if (again) entry.queue.unshift(restarted(transaction));
};

/** Ends a read that nobody waits for any more: now, or when the disk has answered. */
export const giveUp = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  transaction.vain = true;
  if (transaction.diskOperations === 0) abort(server, entry, transaction);
};

export const runningOf = (server: Server, entry: DirectoryEntry): Transaction[] =>
  [entry.writer, ...entry.readers]
    .map((sequence) => (sequence === undefined ? undefined : server.running.get(sequence)))
    .filter((each) => each !== undefined);

/**
 * A holder of the file, or the node it was going to, is lost: what runs gives way to a recovery
 * (rule 13), and starts again after it, under a higher order.
 */
export const preempt = (server: Server, entry: DirectoryEntry): void => {
  const running = runningOf(server, entry);
  entry.preempting = running.some((each) => each.diskOperations > 0);
  if (entry.preempting) return;
  // One that waits for its turn knows parties of what ran before.
  const waiting = entry.queue.find((each) => each.kind === 'recover');
  const parties = partiesOf(entry, waiting === undefined ? running : [...running, waiting]);
  const asked = [...parties].filter((node) => server.members.has(node));
  for (const transaction of running) {
    abort(server, entry, transaction, isWaitedFor(server, transaction));
  }
  entry.queue = entry.queue.filter((each) => each.kind !== 'recover');
  entry.queue.unshift(newRecover(entry.file, asked));
  runQueue(server, entry);
};

/**
 * Somebody still waits for it. A getModified that was answered may have been taken: one who has not got
 * the answer asks again, and who has would leave a second grant lying for ever.
 */
const isWaitedFor = (server: Server, transaction: Transaction): boolean => {
  const { kind, requester } = transaction;
  if (kind === 'recover' || transaction.vain) return false;
  if (kind === 'writeThrough' && requester.kind === 'server') return false;
  if (
    kind === 'getModified' &&
    (transaction.phase === 'grant' || transaction.phase === 'release')
  ) {
    return false;
  }
  return requester.kind !== 'member' || server.members.has(requester.node);
};

/** Everybody who may hold something of the file, or waits for it. */
const partiesOf = (entry: DirectoryEntry, running: Transaction[]): Set<NodeId> => {
  const nodes = new Set<NodeId>([...entry.sharers, ...entry.reporters, ...entry.leftovers]);
  const add = (...some: readonly (NodeId | undefined)[]): void => {
    for (const node of some) if (node !== undefined) nodes.add(node);
  };
  add(entry.owner, entry.backup);
  for (const transaction of running) {
    for (const { from, resend: again } of transaction.awaited) add(from, again.to);
    const { requester } = transaction;
    if (requester.kind === 'member') add(requester.node);
    if (transaction.kind === 'getModified') add(transaction.backup, transaction.release);
    if (transaction.kind === 'writeThrough') add(...transaction.release);
    if (transaction.kind === 'recirculate') add(transaction.target);
    if (transaction.kind === 'recover') add(transaction.backup, ...transaction.asked);
  }
  return nodes;
};

/** Answers an order in the place of a node that cannot any more. */
export const answerFor = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Transaction,
  awaited: Awaited,
  message: Message,
): void => {
  const index = transaction.awaited.indexOf(awaited);
  if (index < 0) return;
  transaction.awaited.splice(index, 1);
  const from = message.type === 'forwardFailed' ? awaited.resend.to : awaited.from;
  take(server, entry, transaction, from, message);
};

const start = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  checkEntry(entry);
  transaction.sequence = server.nextSequence++;
  if (isWriting(transaction)) entry.writer = transaction.sequence;
  else entry.readers.add(transaction.sequence);
  server.running.set(transaction.sequence, transaction);
  transaction.sentAtMs = server.now;
  if (transaction.kind === 'recover') takeTurn(server, entry, transaction);
  begin(server, entry, transaction);
  settle(server, entry, transaction);
};

/** Goes on as long as nothing is awaited; ends the transaction when it says so. */
export const settle = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  while (transaction.diskOperations === 0) {
    if (entry.preempting) {
      preempt(server, entry);
      return;
    }
    if (transaction.vain) {
      abort(server, entry, transaction);
      runQueue(server, entry);
      return;
    }
    if (transaction.awaited.length > 0) return;
    if (mayRetry(server, entry, transaction)) {
      repairFirst(server, entry, transaction);
      return;
    }
    if (!advance(server, entry, transaction)) continue;
    finish(server, entry, transaction);
    return;
  }
};

/** Whom it asks is known when it starts: copies may have been given since it was queued, nodes lost. */
const takeTurn = (server: Server, entry: DirectoryEntry, transaction: Recover): void => {
  server.recovering.add(transaction.sequence);
  noLongerWaits(server, entry.file);
  const parties = [...new Set([...transaction.asked, ...partiesOf(entry, [])])];
  transaction.asked = parties.filter((node) => server.members.has(node));
};

/** Starts recoveries whose turn it is, beside `stuck` ones that may be unable to go on. */
export const startRecoveries = (server: Server, stuck: number): void => {
  for (
    let file = nextRecovery(server, stuck);
    file !== undefined;
    file = nextRecovery(server, stuck)
  ) {
    runQueue(server, entryOf(server, file));
    turnIsOver(server);
  }
};

const finish = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  server.running.delete(transaction.sequence);
  const hadTurn = server.recovering.delete(transaction.sequence);
  entry.readers.delete(transaction.sequence);
  if (entry.writer === transaction.sequence) entry.writer = undefined;
  if (entry.writer === undefined && entry.readers.size === 0) checkEntry(entry);
  noteSafe(server, entry);
  if (entry.state !== 'dirty') {
    entry.empty.clear();
    noteClean(server, entry.file);
  }
  runQueue(server, entry);
  const idle = entry.writer === undefined && entry.readers.size === 0 && entry.queue.length === 0;
  // What is left of an uncached file is on the disk.
  if (idle && entry.state === 'uncached' && entry.eviction === '') {
    keepTerm(server, entry);
    server.entries.delete(entry.file);
  }
  if (hadTurn) startRecoveries(server, 0);
};

/**
 * An answer to an order. False if nothing waits for it: it is late, or repeated, and is dropped. Throws FsError EPROTO
 * if what it says cannot be.
 */
export const answered = (server: Server, from: NodeId, message: Message): boolean => {
  const order = orderOfMessage(message);
  const transaction = order === undefined ? undefined : server.running.get(order.sequence);
  if (order === undefined || transaction === undefined) return false;
  if (compareOrders(order, orderOf(server, transaction)) !== 0) return false;
  if (!('file' in message) || message.file !== transaction.file) return false;
  const index = transaction.awaited.findIndex((each) => answers(server, each, from, message));
  if (index < 0) return false;
  const reason = impossibleAnswer(server, from, message);
  if (reason !== undefined) {
    const text = `${message.type} of ${from} for file ${message.file} cannot be: ${reason}`;
    throw new FsError('EPROTO', text);
  }
  transaction.awaited.splice(index, 1);
  const entry = entryOf(server, transaction.file);
  take(server, entry, transaction, from, message);
  settle(server, entry, transaction);
  return true;
};

const answers = (server: Server, awaited: Awaited, from: NodeId, message: Message): boolean => {
  if (lacksContents(server, awaited, message)) return false;
  // A holder that cannot forward ends the wait for what its data would have brought about.
  if (message.type === 'forwardFailed') {
    return awaited.resend.to === from && awaited.resend.message.type === 'forward';
  }
  return awaited.from === from && awaited.answer === message.type;
};

/** An answer that must bring the whole file, and brings something else, is none. */
const lacksContents = (server: Server, { resend: order }: Awaited, message: Message): boolean => {
  const reports = order.message.type === 'freeze' && order.message.report;
  if (message.type !== 'collected' && !(message.type === 'frozen' && reports)) return false;
  return message.bytes.length !== fileSizeBytes(server.options.geometry);
};

/** The bytes of a file, or the reason why they cannot be read, for the transaction behind `token`. */
export const fileRead = (server: Server, token: number, bytes: Uint8Array | string): void => {
  const transaction = diskDone(server, token);
  if (typeof bytes === 'string') {
    transaction.failure = bytes;
  } else if (transaction.kind !== 'verify') {
    server.memory.put(transaction.file, bytes);
    transaction.contents = contentsOf(server, transaction.file, bytes, 'disk');
  }
  settle(server, entryOf(server, transaction.file), transaction);
};

/** A member has come with a clean copy since the last attempt at a repair, which nobody could make. */
const isSupplied = (server: Server, { file, sharers }: DirectoryEntry): boolean => {
  const asked = server.damaged.get(file);
  return asked !== undefined && [...sharers].some((node) => !asked.has(node));
};

/** The disk failed it, and it has left nothing behind: it may begin again, once for every chance of a repair. */
const mayRetry = (server: Server, entry: DirectoryEntry, transaction: Transaction): boolean => {
  const { kind, failure, retried } = transaction;
  if (failure === undefined || entry.owner !== undefined) return false;
  if (retried && !isSupplied(server, entry)) return false;
  const undone =
    (kind === 'getShared' && !mayArriveUnlisted(entry, transaction)) ||
    kind === 'readThrough' ||
    kind === 'writeThrough' ||
    (kind === 'getModified' && transaction.phase === 'withdraw');
  return undone && isWaitedFor(server, transaction);
};

/** The file's blocks are damaged: it begins again after somebody's copy has made them good, if there is one. */
const repairFirst = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  transaction.retried = true;
  abort(server, entry, transaction, true);
  entry.queue.unshift(newVerify(entry.file));
  runQueue(server, entry);
};

/** What the transaction behind `token` journaled is synced. */
export const committed = (server: Server, token: number): void => {
  const transaction = diskDone(server, token);
  settle(server, entryOf(server, transaction.file), transaction);
};

const diskDone = (server: Server, token: number): Transaction => {
  const sequence = server.tokens.get(token);
  assert(sequence !== undefined, `the disk answers token ${token}, which nobody waits for`);
  server.tokens.delete(token);
  const transaction = server.running.get(sequence);
  assert(transaction !== undefined, `transaction ${sequence} ended before its disk operation`);
  transaction.diskOperations--;
  return transaction;
};

/** Repeats every order that is not answered yet, or one node's; each once, however many await it. */
export const resend = (server: Server, transaction: Transaction, only?: NodeId): void => {
  if (only === undefined) transaction.sentAtMs = server.now;
  const sent = new Set<Message>();
  for (const { resend: again } of transaction.awaited) {
    if ((only !== undefined && again.to !== only) || sent.has(again.message)) continue;
    sent.add(again.message);
    sendOrder(server, again.to, again.message);
  }
};

/** Repeats the orders that have waited for long. */
export const resendDue = (server: Server): void => {
  for (const transaction of [...server.running.values()]) {
    const { awaited, sentAtMs } = transaction;
    if (awaited.length > 0 && server.now >= sentAtMs + RESEND_MS) resend(server, transaction);
  }
};

/** Repeats the orders that a node may have missed while its link was down. */
export const resendTo = (server: Server, node: NodeId): void => {
  for (const transaction of server.running.values()) resend(server, transaction, node);
};
