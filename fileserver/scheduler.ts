/**
 * Runs the transactions of each file: one writing one at a time, first come first served, reading
 * ones together, other files never held up (rule 13).
 */

import { assert } from '../protocol/assert.ts';
import { compareOrders, fileSizeBytes, type NodeId } from '../protocol/ids.ts';
import { orderOf as orderOfMessage, type Message } from '../protocol/messages.ts';
import { checkEntry, type DirectoryEntry } from './directory_entry.ts';
import { contentsOf, entryOf, failRequest, orderOf, sendTo, type Server } from './server_state.ts';
import { isWriting, sameRequester, type Awaited, type Transaction } from './transaction.ts';
import {
  advanceGetModified,
  getModifiedAnswered,
  startGetModified,
} from './transactions/get_modified.ts';
import { advanceGetShared, getSharedAnswered, startGetShared } from './transactions/get_shared.ts';
import {
  advanceRecirculate,
  recirculateAnswered,
  startRecirculate,
} from './transactions/recirculate.ts';
import {
  advanceReadThrough,
  advanceWriteThrough,
  readThroughAnswered,
  startReadThrough,
  startWriteThrough,
  writeThroughAnswered,
} from './transactions/through.ts';
import { advanceWriteBack, startWriteBack, writeBackAnswered } from './transactions/write_back.ts';

/** How long a transaction waits for answers before it repeats its orders. */
export const RESEND_MS = 2000;

/** How many transactions of one file may wait. */
export const WAITING_LIMIT = 4096;

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

const runQueue = (server: Server, entry: DirectoryEntry): void => {
  while (entry.writer === undefined) {
    const head = entry.queue[0];
    if (head === undefined) break;
    if (isWriting(head) && entry.readers.size > 0) break;
    entry.queue.shift();
    start(server, entry, head);
  }
};

const start = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  checkEntry(entry);
  transaction.sequence = server.nextSequence++;
  if (isWriting(transaction)) entry.writer = transaction.sequence;
  else entry.readers.add(transaction.sequence);
  server.running.set(transaction.sequence, transaction);
  transaction.sentAtMs = server.now;
  begin(server, entry, transaction);
  settle(server, entry, transaction);
};

/** Goes on as long as nothing is awaited; ends the transaction when it says so. */
const settle = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  while (transaction.awaited.length === 0 && transaction.diskOperations === 0) {
    if (!advance(server, entry, transaction)) continue;
    finish(server, entry, transaction);
    return;
  }
};

const finish = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  server.running.delete(transaction.sequence);
  entry.readers.delete(transaction.sequence);
  if (entry.writer === transaction.sequence) entry.writer = undefined;
  if (entry.writer === undefined && entry.readers.size === 0) checkEntry(entry);
  runQueue(server, entry);
  const idle = entry.writer === undefined && entry.readers.size === 0;
  // What is left of an uncached file is on the disk.
  if (idle && entry.state === 'uncached' && entry.eviction === '') {
    server.entries.delete(entry.file);
  }
};

/** An answer to an order. False if nothing waits for it: it is late, or repeated, and is dropped. */
export const answered = (server: Server, from: NodeId, message: Message): boolean => {
  const order = orderOfMessage(message);
  const transaction = order === undefined ? undefined : server.running.get(order.sequence);
  if (order === undefined || transaction === undefined) return false;
  if (compareOrders(order, orderOf(server, transaction)) !== 0) return false;
  if (!('file' in message) || message.file !== transaction.file) return false;
  const index = transaction.awaited.findIndex((each) => answers(server, each, from, message));
  if (index < 0) return false;
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
  } else {
    server.memory.put(transaction.file, bytes);
    transaction.contents = contentsOf(server, transaction.file, bytes, 'disk');
  }
  settle(server, entryOf(server, transaction.file), transaction);
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
    sendTo(server, again.to, again.message);
  }
};

/** Repeats the orders that a node may have missed while its link was down. */
export const resendTo = (server: Server, node: NodeId): void => {
  for (const transaction of server.running.values()) resend(server, transaction, node);
};

const begin = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  switch (transaction.kind) {
    case 'getShared':
      startGetShared(server, entry, transaction);
      break;
    case 'getModified':
      startGetModified(server, entry, transaction);
      break;
    case 'writeBack':
      startWriteBack(server, entry, transaction);
      break;
    case 'recirculate':
      startRecirculate(server, entry, transaction);
      break;
    case 'readThrough':
      startReadThrough(server, entry, transaction);
      break;
    case 'writeThrough':
      startWriteThrough(server, entry, transaction);
      break;
    default:
      transaction satisfies never;
  }
};

const take = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Transaction,
  from: NodeId,
  message: Message,
): void => {
  switch (transaction.kind) {
    case 'getShared':
      getSharedAnswered(server, entry, transaction, from, message);
      break;
    case 'getModified':
      getModifiedAnswered(server, entry, transaction, from, message);
      break;
    case 'writeBack':
      writeBackAnswered(server, entry, transaction, from, message);
      break;
    case 'recirculate':
      recirculateAnswered(server, entry, transaction, from, message);
      break;
    case 'readThrough':
      readThroughAnswered(server, entry, transaction, from, message);
      break;
    case 'writeThrough':
      writeThroughAnswered(server, entry, transaction, from, message);
      break;
    default:
      transaction satisfies never;
  }
};

const advance = (server: Server, entry: DirectoryEntry, transaction: Transaction): boolean => {
  switch (transaction.kind) {
    case 'getShared':
      return advanceGetShared(server, entry, transaction);
    case 'getModified':
      return advanceGetModified(server, entry, transaction);
    case 'writeBack':
      return advanceWriteBack(server, entry, transaction);
    case 'recirculate':
      return advanceRecirculate(server, entry, transaction);
    case 'readThrough':
      return advanceReadThrough(server, entry, transaction);
    case 'writeThrough':
      return advanceWriteThrough(server, entry, transaction);
  }
};
