/** The state of the file server's core, as plain data, and the commands it gives its shell. */

import { assert } from '../protocol/assert.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type {
  ClientId,
  FileNumber,
  Geometry,
  NodeId,
  OpenPolicy,
  Order,
  Outcome,
  Version,
} from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import type { OpenFiles } from '../protocol/open_files.ts';
import type { ClientRanges } from './client_ranges.ts';
import type { DegradedPolicy } from './degraded.ts';
import { newEntry, type DirectoryEntry } from './directory_entry.ts';
import type { CommitRecord, FileMeta } from './disk/disk_core.ts';
import type { FileMemory } from './file_memory.ts';
import type { Flush } from './flushes.ts';
import type { OpenWriters } from './open_writers.ts';
import type { Requester, Transaction } from './transaction.ts';

export type ServerCommand =
  | { readonly do: 'send'; readonly to: string; readonly message: Message }
  | { readonly do: 'readFile'; readonly token: number; readonly file: FileNumber }
  | { readonly do: 'commit'; readonly token: number; readonly records: readonly CommitRecord[] }
  | { readonly do: 'log'; readonly level: 'info' | 'warn'; readonly text: string }
  /** Flush the disk and stop. `complete`: everything is written back. */
  | { readonly do: 'stop'; readonly complete: boolean };

/** What of its holdings a node that registers anew may keep, and is to hold ready. */
export interface Admission {
  readonly kept: readonly FileNumber[];
  readonly wanted: readonly FileNumber[];
}

export const NOTHING_HELD: Admission = { kept: [], wanted: [] };

/** One registered cacher. */
export interface MemberRecord {
  readonly node: NodeId;
  readonly incarnation: number;
  /** The name of its link to us. */
  link: string;
  linkUp: boolean;
  address: string;
  readonly pages: number;
  /** Hints from its last heartbeat; wrong ones cost time, never data. */
  freePages: number;
  oldestUseMs: number;
  heartbeatMs: number;
  /** When its lease was last renewed; its lease ends a lease time after that. */
  renewedMs: number;
  /** When the newest renewal that it is known to have heard was sent. */
  heardMs: number;
  /** Renewals that it has not echoed yet, and when they were sent. */
  acksSent: Map<number, number>;
  /** It has registered, or its link is new, and no heartbeat has shown yet that it knows: orders wait for that. */
  fresh: boolean;
  /** Its newest asking for registration. */
  attempt: number;
  /** What it was told of its holdings when it was admitted, until it is known to have heard that. */
  untold: Admission;
  /** The first of the numbers for its applications. */
  readonly firstClient: ClientId;
  /** Transactions from this one on may give it a part; orders of earlier ones are void to it (rule 7). */
  readonly firstSequence: number;
  leaving: boolean;
  /** Another life of its node has registered since; its lease is not over yet (former_lives.ts). */
  former: boolean;
  /** It said what cannot be: it is not listened to, so that its lease runs out. */
  fenced: boolean;
}

/** An application that talks to the server directly. */
export interface DirectClient {
  readonly client: ClientId;
  readonly files: OpenFiles;
  /** Its requests that are not answered yet → the bytes each may move. */
  readonly waiting: Map<number, number>;
}

export interface Counters {
  getShared: number;
  getModified: number;
  suppliedByPeer: number;
  suppliedFromMemory: number;
  suppliedFromDisk: number;
  writeBacks: number;
  writesThrough: number;
  readsThrough: number;
  recirculations: number;
  backupsRefused: number;
  membersLost: number;
  recoveries: number;
  /** Files whose blocks the scrub, or a look after a failed read, has checked. */
  filesVerified: number;
  /** Files with damaged blocks that were made good. */
  filesRepaired: number;
}

export const newCounters = (): Counters => ({
  getShared: 0,
  getModified: 0,
  suppliedByPeer: 0,
  suppliedFromMemory: 0,
  suppliedFromDisk: 0,
  writeBacks: 0,
  writesThrough: 0,
  readsThrough: 0,
  recirculations: 0,
  backupsRefused: 0,
  membersLost: 0,
  recoveries: 0,
  filesVerified: 0,
  filesRepaired: 0,
});

export interface ServerOptions {
  readonly geometry: Geometry;
  readonly epoch: number;
  readonly openPolicy: OpenPolicy;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  /** What is added to a lease before its holder counts as lost; a quarter of it at least. */
  readonly marginMs: number;
  /** How long holders of an unavailable file may be away before what they held counts as lost. */
  readonly lostAfterMs: number;
  /** In how long the scrub reads and checks the whole disk once. */
  readonly scrubMs: number;
  readonly degradedPolicy: DegradedPolicy;
  /** How many files are recovered at a time (recovery_turns.ts). */
  readonly recoveriesAtOnce: number;
}

/** A node that registers while its old self may still have a lease. */
export interface Newcomer {
  readonly link: string;
  sinceMs: number;
  /** How often the server's timer has come since. */
  ticks: number;
}

/** A file that has lost writes; of what was lost in an earlier life of the server, only that it was. */
export interface Loss {
  readonly times: number;
  readonly term: number | undefined;
  /** Owner and backup of the term. */
  readonly holders: readonly NodeId[];
}

export interface Server {
  readonly options: ServerOptions;
  /** The disk's view of a file: version, mark, outcomes. */
  readonly meta: (file: FileNumber) => FileMeta;
  now: number;
  /** No term up to this one is announced any more. */
  termFloor: number;
  nextSequence: number;
  nextToken: number;
  nextClient: number;
  ranges: ClientRanges;
  stopping: boolean;
  stopped: boolean;
  stopDeadlineMs: number;
  /** Of this life and all before it. */
  longestLeaseMs: number;
  /** Until then holders of leases of the server's last life may still serve: nothing is written. */
  quietUntilMs: number;
  lastTickMs: number;
  newcomers: Map<NodeId, Newcomer>;
  /** Dirty files that were on one node when a loss was noticed and are not on two again. */
  reprotection: { readonly sinceMs: number; readonly files: Set<FileNumber> } | undefined;
  lastReprotectionMs: number | undefined;
  /** Recoveries that run, and files whose recovery waits for its turn (recovery_turns.ts). */
  recovering: Set<number>;
  recoveriesWaiting: { readonly urgent: Set<FileNumber>; readonly others: Set<FileNumber> };
  /** The one that is being started, so that none is started within it. */
  recoveryDue: FileNumber | undefined;
  /** Files that have lost writes, how often, and, of the last in this life, which term of which nodes. */
  losses: Map<FileNumber, Loss>;
  /** Files none of whose holders is here, and since when. */
  unavailableSince: Map<FileNumber, number>;
  /** Pairs of members that do not reach each other, and until when they are left alone (apart.ts). */
  apart: Map<string, number>;
  /** There is no second memory; so it begins. */
  degraded: boolean;
  flushes: Flush[];
  members: Map<NodeId, MemberRecord>;
  /** Link name → member. */
  links: Map<string, NodeId>;
  clients: Map<string, DirectClient>;
  entries: Map<FileNumber, DirectoryEntry>;
  running: Map<number, Transaction>;
  /** Disk token → the transaction that waits for it. */
  tokens: Map<number, number>;
  memory: FileMemory;
  openWriters: OpenWriters;
  /** The next file that the scrub looks at, when, and how often it has been through all. */
  scrub: { nextFile: number; dueMs: number; passes: number };
  /** The last registration that is over, of links whose node has none. */
  over: Map<string, Pick<MemberRecord, 'attempt' | 'firstClient'>>;
  /** Files with damaged blocks on the disk that nobody could make good, and who was asked for a copy in vain. */
  damaged: Map<FileNumber, Set<NodeId>>;
  counters: Counters;
  commands: ServerCommand[];
}

export const fileExists = (server: Server, file: number): boolean =>
  file < server.options.geometry.files;

/** The answer to a request for a file outside the volume. */
export const noSuchFile = (server: Server, request: number, file: number): Message<'failed'> => {
  const last = server.options.geometry.files - 1;
  const message = `file ${file} does not exist: files are 0 to ${last}`;
  return { type: 'failed', request, code: 'ENOENT', message };
};

/** An earlier life of a node, which has a lease and cannot be asked anything. */
export const isFormer = (server: Server, node: NodeId | undefined): boolean =>
  node !== undefined && server.members.get(node)?.former === true;

export const entryOf = (server: Server, file: FileNumber): DirectoryEntry => {
  assert(fileExists(server, file), `file ${file} is outside the volume`);
  let entry = server.entries.get(file);
  if (entry === undefined) {
    entry = newEntry(file, server.meta(file).version);
    server.entries.set(file, entry);
  }
  return entry;
};

export const orderOf = (server: Server, transaction: Transaction): Order => ({
  epoch: server.options.epoch,
  sequence: transaction.sequence,
});

export const log = (server: Server, level: 'info' | 'warn', text: string): void => {
  server.commands.push({ do: 'log', level, text });
};

/** Sends to a member; one whose link is down gets it from the resend when the link is back. */
export const sendTo = (server: Server, node: NodeId, message: Message): void => {
  const member = server.members.get(node);
  if (member?.linkUp !== true) return;
  server.commands.push({ do: 'send', to: member.link, message });
};

/** Tells a node that this registration of it is over, and the last attempt that it answered, if that matters. */
export const expel = (server: Server, link: string, registration: number, attempt = 0): void => {
  const message = { type: 'expelled', registration, attempt } as const;
  server.commands.push({ do: 'send', to: link, message });
};

/** Sends the final answer of a request to whoever asked. */
export const replyTo = (server: Server, requester: Requester, message: Message): void => {
  if (requester.kind === 'member') sendTo(server, requester.node, message);
  if (requester.kind === 'client') answerClient(server, requester.peer, message);
};

/** Sends a direct client the final answer of a request, which is in flight no longer. */
export const answerClient = (server: Server, link: string, message: Message): void => {
  if ('request' in message) server.clients.get(link)?.waiting.delete(message.request);
  server.commands.push({ do: 'send', to: link, message });
};

export const failRequest = (
  server: Server,
  requester: Requester,
  request: number,
  code: ErrorCode,
  message: string,
): void => {
  replyTo(server, requester, { type: 'failed', request, code, message });
};

/** Sends an order and waits for its answer from the same node. */
export const order = (
  server: Server,
  transaction: Transaction,
  to: NodeId,
  message: Message,
  answer: Message['type'],
): void => {
  orderVia(server, transaction, to, message, to, answer);
};

/** Orders a node to give up what it has had of a file since it registered. */
export const takeBack = (
  server: Server,
  transaction: Transaction,
  from: NodeId,
  type: 'invalidate' | 'drop',
): void => {
  const registration = server.members.get(from)?.firstClient ?? 0;
  const { file } = transaction;
  const message = { type, order: orderOf(server, transaction), file, registration } as const;
  order(server, transaction, from, message, type === 'drop' ? 'dropped' : 'invalidated');
};

/** Sends an order to one node whose effect another node confirms. */
export const orderVia = (
  server: Server,
  transaction: Transaction,
  to: NodeId,
  message: Message,
  from: NodeId,
  answer: Message['type'],
): void => {
  const sinceMs = server.now;
  transaction.awaited.push({ from, answer, sinceMs, resend: { to, message } });
  transaction.sentAtMs = server.now;
  sendOrder(server, to, message);
};

/**
 * Sends an order, also one that was sent before. A member that may not know of its registration yet would carry it out
 * under the last one, and give up with that what came of it: it gets it when its first heartbeat has come.
 */
export const sendOrder = (server: Server, to: NodeId, message: Message): void => {
  if (server.members.get(to)?.fresh === false) sendTo(server, to, message);
};

export const outcomesOf = (server: Server, file: FileNumber): readonly Outcome[] =>
  server.meta(file).outcomes;

/** Loads the server's own copy into `transaction.contents`, from memory at once or from the disk. */
export const load = (server: Server, transaction: Transaction): void => {
  const { file } = transaction;
  const bytes = server.memory.get(file);
  if (bytes === undefined) readFromDisk(server, transaction);
  else transaction.contents = contentsOf(server, file, bytes, 'server');
};

/** Has the file read from the disk and its checksums compared, whatever the memory holds. */
export const readFromDisk = (server: Server, transaction: Transaction): void => {
  transaction.diskOperations++;
  server.tokens.set(server.nextToken, transaction.sequence);
  server.commands.push({ do: 'readFile', token: server.nextToken++, file: transaction.file });
};

export const contentsOf = (
  server: Server,
  file: FileNumber,
  bytes: Uint8Array,
  source: 'server' | 'disk',
): NonNullable<Transaction['contents']> => ({
  version: entryOf(server, file).version,
  bytes,
  outcomes: outcomesOf(server, file),
  source,
});

/** Journals records for a transaction, which goes on once they are synced. */
export const commit = (
  server: Server,
  transaction: Transaction,
  records: readonly CommitRecord[],
): void => {
  transaction.diskOperations++;
  server.tokens.set(server.nextToken, transaction.sequence);
  server.commands.push({ do: 'commit', token: server.nextToken++, records });
};

/**
 * Journals contents of a file, which replace damaged blocks. The server's memory holds none until the transaction
 * goes on: one that is pre-empted does not, and the file is read from the disk then.
 */
export const commitContents = (
  server: Server,
  transaction: Transaction,
  version: Version,
  bytes: Uint8Array,
  outcomes: readonly Outcome[],
  afterLoss = false,
): void => {
  const { file } = transaction;
  transaction.contents = { version, bytes, outcomes, source: 'server' };
  server.damaged.delete(file);
  server.memory.forget(file);
  const record = { kind: 'contents', file, version, bytes, outcomes } as const;
  commit(server, transaction, [afterLoss ? { ...record, afterLoss } : record]);
};
