/**
 * The fields of every message, once: their types for the compiler and their checks for the codec.
 * The numbers on the wire are in coopfs.proto; a test keeps the two together.
 */

import * as is from './fields.ts';
import { OUTCOMES_KEPT, type FileNumber, type Order } from './ids.ts';

/** The version of the messages, which `hello` names; a daemon answers no other. */
export const PROTOCOL_VERSION = 1;
/** How many members a cluster may have. */
export const MEMBERS_LIMIT = 1024;
/** How many files a member may report when it registers: as many as one message can name, 44 bytes each at most. */
export const HOLDINGS_LIMIT = 370_000;
/**
 * How many files a member has room for, whatever its memory: all that is dirty must fit into the message, beside files
 * of which it can only say that nothing was written under a term, and openings for writing.
 */
export const FILES_LIMIT = 300_000;
/** How many files a heartbeat may ask copy counts for. */
export const CANDIDATES_LIMIT = 16;

const order = is.order;
const file = is.file;
const request = is.uint32;
const outcomes = is.listOf(is.outcome, OUTCOMES_KEPT);
const members = is.listOf(is.member, MEMBERS_LIMIT);
const contents = { version: is.version, bytes: is.bytes, outcomes };

export const MESSAGES = {
  hello: { protocol: is.uint32 },
  welcome: { node: is.node, client: is.client, geometry: is.geometry },
  open: { request, file, mode: is.uint32 },
  opened: { request, sizeBytes: is.uint32 },
  read: { request, file, offset: is.uint32, length: is.uint32 },
  readDone: { request, bytes: is.bytes, source: is.source, version: is.version },
  write: { request, file, offset: is.uint32, bytes: is.bytes },
  writeDone: {
    request,
    count: is.uint32,
    version: is.version,
    copies: is.uint32,
    degraded: is.flag,
  },
  close: { request, file },
  closed: { request },
  where: { request, file },
  whereDone: {
    request,
    file,
    state: is.text,
    version: is.version,
    term: is.uint53,
    owner: is.maybeNode,
    backup: is.maybeNode,
    sharers: is.listOf(is.node, MEMBERS_LIMIT),
    epoch: is.uint32,
    eviction: is.text,
  },
  status: { request },
  statusDone: { request, json: is.text },
  failed: { request, code: is.errorCode, message: is.text },
  flush: { request, file, all: is.flag },
  flushed: { request },
  forget: { request, node: is.node },
  forgotten: { request, files: is.uint32 },

  register: {
    node: is.node,
    incarnation: is.uint53,
    address: is.text,
    pages: is.uint32,
    holdings: is.listOf(is.holding, HOLDINGS_LIMIT),
    writers: is.listOf(is.writerOf, HOLDINGS_LIMIT),
    attempt: is.uint53,
  },
  registered: {
    epoch: is.uint32,
    geometry: is.geometry,
    openPolicy: is.openPolicy,
    heartbeatMs: is.millis,
    leaseMs: is.millis,
    members,
    kept: is.listOf(file, HOLDINGS_LIMIT),
    wanted: is.listOf(file, HOLDINGS_LIMIT),
    firstSequence: is.uint53,
    firstClient: is.client,
    losses: is.listOf(is.fileLosses, HOLDINGS_LIMIT),
    attempt: is.uint53,
  },
  registrationRefused: { code: is.errorCode, message: is.text },
  heartbeat: {
    sequence: is.uint53,
    freePages: is.uint32,
    oldestUseMs: is.millis,
    candidates: is.listOf(file, CANDIDATES_LIMIT),
    echo: is.uint53,
    registration: is.uint53,
  },
  heartbeatAck: { sequence: is.uint53, hints: is.listOf(is.copyHint, CANDIDATES_LIMIT) },
  members: { members },
  leave: {},
  left: {},
  expelled: { registration: is.uint53, attempt: is.uint53 },

  getShared: { request, file },
  getModified: { request, file, holds: is.flag },
  writeBack: { request, file },
  writtenBack: { request, file },
  recirculate: { request, file, chances: is.uint32 },
  recirculateRefused: { request, file },
  readThrough: { request, file, offset: is.uint32, length: is.uint32 },
  readThroughDone: {
    request,
    file,
    bytes: is.bytes,
    source: is.source,
    version: is.version,
  },
  writeThrough: {
    request,
    file,
    offset: is.uint32,
    bytes: is.bytes,
    client: is.client,
    operation: is.uint32,
    keep: is.flag,
    again: is.flag,
    registration: is.uint53,
  },
  writeThroughDone: { request, file, count: is.uint32, order, ...contents },
  openWriter: { request, file, client: is.client },
  writerOpened: { request },
  closeWriter: { request, file, client: is.client, opening: is.uint32 },
  writerClosed: { request },
  evicted: { file },
  unreachable: { node: is.node },
  alreadyHeld: { request, file },

  forward: { order, file, to: is.node, request },
  forwardFailed: { order, file },
  received: { order, file, held: is.flag },
  invalidate: { order, file, registration: is.uint53 },
  invalidated: { order, file },
  freeze: {
    order,
    file,
    term: is.uint53,
    backup: is.flag,
    newOwner: is.maybeNode,
    forward: is.flag,
    request,
    report: is.flag,
  },
  frozen: { order, file, ...contents },
  drop: { order, file, registration: is.uint53 },
  dropped: { order, file, held: is.flag },
  prepareBackup: {
    order,
    file,
    term: is.uint53,
    owner: is.node,
    version: is.version,
    onDisk: is.flag,
  },
  prepareOwner: { order, file, term: is.uint53, base: is.uint53 },
  ownerPrepared: { order, file },
  backupPrepared: { order, file, full: is.flag, holds: is.flag },
  grant: {
    order,
    file,
    request,
    term: is.uint53,
    backup: is.node,
    backupHolds: is.flag,
    source: is.source,
    ...contents,
  },
  granted: { order, file, taken: is.flag },
  noBackup: { order, file, request },
  collect: { order, file },
  collected: { order, file, ...contents },
  clean: { order, file, version: is.version, copies: is.uint32 },
  cleaned: { order, file },
  expect: { order, file, from: is.node, chances: is.uint32 },
  expected: { order, file, accepted: is.flag },
  readOnce: { order, file, offset: is.uint32, length: is.uint32 },
  readOnceDone: { order, file, version: is.version, bytes: is.bytes },
  fetch: { order, file },
  fetched: { order, file, held: is.flag, version: is.version, bytes: is.bytes },
  recover: { order, file, term: is.uint53 },
  recovered: {
    order,
    file,
    kind: is.holdingKind,
    term: is.uint53,
    version: is.version,
    ungranted: is.uint53,
    base: is.uint53,
  },
  promote: { order, file, term: is.uint53, backup: is.node },
  promoted: { order, file },
  confirmBackup: { order, file, term: is.uint53 },
  backupConfirmed: { order, file },
  lost: { order, file, times: is.uint32 },
  lostNoted: { order, file },

  data: { order, file, request, source: is.source, copies: is.uint32, ...contents },
  backupWrite: {
    file,
    term: is.uint53,
    whole: is.flag,
    base: is.version,
    version: is.version,
    offset: is.uint32,
    bytes: is.bytes,
    outcomes,
  },
  backupAck: { file, term: is.uint53, version: is.version },
  backupRefused: { file, term: is.uint53, version: is.version, reason: is.refusal },
} as const satisfies Record<string, Record<string, is.Field<unknown>>>;

export type MessageType = keyof typeof MESSAGES;

type FieldsOf<T extends MessageType> = {
  readonly [F in keyof (typeof MESSAGES)[T]]: (typeof MESSAGES)[T][F] extends is.Field<infer V>
    ? V
    : never;
};

/** The message of one type, or any message. */
export type Message<T extends MessageType = MessageType> = {
  [K in T]: { readonly type: K } & FieldsOf<K>;
}[T];

/** The rudp channel of control messages: registration, heartbeats, members. */
export const CONTROL_CHANNEL = 0;
const FILE_CHANNELS = 256;

/** One file, one channel per pair of nodes (rule 9); files share a bounded number of channels. */
export const channelOfFile = (number: FileNumber): number => 1 + (number % FILE_CHANNELS);

export const channelOf = (message: Message): number =>
  'file' in message ? channelOfFile(message.file) : CONTROL_CHANNEL;

/** Contents of files give way to everything else: leases, invalidations and answers wait for no transfer. */
export const priorityOf = (message: Message): 'urgent' | 'normal' =>
  'bytes' in message ? 'normal' : 'urgent';

/** The transaction a message belongs to, if it is an order or the answer to one. */
export const orderOf = (message: Message): Order | undefined =>
  'order' in message ? message.order : undefined;
