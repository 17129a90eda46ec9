/** The state of a cacher's core, as plain data, and the commands it gives its shell. */

import { assert } from '../protocol/assert.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { Member } from '../protocol/fields.ts';
import {
  fileSizeBytes,
  SERVER,
  type ClientId,
  type FileNumber,
  type Geometry,
  type NodeId,
  type OpenPolicy,
} from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import type { OpenFiles } from '../protocol/open_files.ts';
import { newCachedFile, type CachedFile, type Operation, type Want } from './cached_file.ts';
import type { ReplacementPolicy } from './replacement.ts';

export type CacherCommand =
  /** To the file server or another cacher. */
  | { readonly do: 'send'; readonly to: NodeId; readonly message: Message }
  /** To an application on this node. */
  | { readonly do: 'reply'; readonly to: string; readonly message: Message }
  /** The other cachers and where they are. */
  | { readonly do: 'peers'; readonly members: readonly Member[] }
  | { readonly do: 'registered' }
  | { readonly do: 'refused'; readonly code: ErrorCode; readonly text: string }
  | { readonly do: 'log'; readonly level: 'info' | 'warn'; readonly text: string }
  /** Everything is handed over (`complete`), or the time for it is up. */
  | { readonly do: 'stop'; readonly complete: boolean };

export interface CacherOptions {
  readonly node: NodeId;
  readonly incarnation: number;
  /** Where the others reach this node's rudp socket, "host:port". */
  readonly address: string;
  readonly pages: number;
  readonly writebackIntervalMs: number;
  /** How long an operation may wait for the cluster before it fails with ETIMEDOUT. */
  readonly serverWaitMs: number;
  readonly policy: ReplacementPolicy;
}

/** What the file server said when it admitted this node. */
export interface Registration {
  readonly epoch: number;
  readonly geometry: Geometry;
  readonly openPolicy: OpenPolicy;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  /** Transactions before this one were of an earlier registration: their data is void (rule 7). */
  readonly firstSequence: number;
  /** The first of the numbers for this node's applications. */
  readonly firstClient: ClientId;
}

export interface Application {
  readonly client: ClientId;
  readonly files: OpenFiles;
  /** Under which request of the server each file is open for writing, where the open policy watches it. */
  readonly openings: Map<FileNumber, number>;
}

/** A request to the server on behalf of an application, answered by passing the answer on, if it is to be told. */
export interface Relayed {
  readonly link: string;
  readonly request: number;
  /** Set for the opening of a file that the open policy watches. */
  readonly opening: FileNumber | undefined;
  readonly message: Message<'where' | 'openWriter' | 'closeWriter' | 'flush'>;
  sentAtMs: number;
  readonly sinceMs: number;
}

/** reads = readsLocal + readsPeer + readsServer + readsDisk; likewise writes by where they went. */
export interface Counters {
  reads: number;
  readsLocal: number;
  readsPeer: number;
  readsServer: number;
  readsDisk: number;
  readsThrough: number;
  writes: number;
  writesTwoMemories: number;
  writesDisk: number;
  evictionsClean: number;
  evictionsWrittenBack: number;
  recirculated: number;
  backupsRefused: number;
  leasesLost: number;
  timedOut: number;
}

export interface Cacher {
  readonly options: CacherOptions;
  now: number;
  registration: Registration | undefined;
  /** Registered under the link that is up now. */
  admitted: boolean;
  /** After a refusal, when registration is asked for again: never if it was the first that was asked for. */
  retryAtMs: number;
  serverUp: boolean;
  members: readonly Member[];
  stopping: boolean;
  leaveSent: boolean;
  stopped: boolean;
  stopDeadlineMs: number;
  files: Map<FileNumber, CachedFile>;
  freePages: number;
  /** Files whose next operation waits for pages, first come first served. */
  waitingForPages: FileNumber[];
  applications: Map<string, Application>;
  relayed: Map<number, Relayed>;
  /** Files that have lost writes, and how often. */
  losses: Map<FileNumber, number>;
  nextRequest: number;
  nextClient: number;
  nextTickMs: number;
  heartbeats: number;
  /** When heartbeats were sent that are not answered yet. */
  heartbeatsSent: Map<number, number>;
  /** The newest heartbeat that was answered. */
  echo: number;
  /** How often it has begun to ask for registration. */
  registerAttempt: number;
  /** When registration was first asked for, since the node was last admitted. */
  registerSentMs: number;
  leaseUntilMs: number;
  counters: Counters;
  commands: CacherCommand[];
}

export const cachedFile = (cacher: Cacher, file: FileNumber): CachedFile => {
  let cached = cacher.files.get(file);
  if (cached === undefined) {
    cached = newCachedFile(file);
    cacher.files.set(file, cached);
  }
  return cached;
};

export const geometryOf = (cacher: Cacher): Geometry => {
  assert(cacher.registration !== undefined, 'the geometry is used before registration');
  return cacher.registration.geometry;
};

export const sizeOf = (cacher: Cacher): number => fileSizeBytes(geometryOf(cacher));

/** Contents are the whole file, or nothing where nothing was to be sent. */
export const isOfWrongSize = (cacher: Cacher, message: Message): boolean => {
  switch (message.type) {
    case 'data':
      return message.bytes.length !== sizeOf(cacher);
    case 'grant':
    case 'writeThroughDone':
      return message.bytes.length !== 0 && message.bytes.length !== sizeOf(cacher);
    default:
      return false;
  }
};

export const log = (cacher: Cacher, level: 'info' | 'warn', text: string): void => {
  cacher.commands.push({ do: 'log', level, text });
};

/** Sends to another cacher; what its link loses is sent again by a timer, or asked for again. */
export const sendToPeer = (cacher: Cacher, to: NodeId, message: Message): void => {
  cacher.commands.push({ do: 'send', to, message });
};

/** Sends to the file server, unless it is out of reach; open requests are repeated after that. */
export const sendToServer = (cacher: Cacher, message: Message): void => {
  if (cacher.serverUp) cacher.commands.push({ do: 'send', to: SERVER, message });
};

export const reply = (cacher: Cacher, link: string, message: Message): void => {
  if (cacher.applications.has(link)) cacher.commands.push({ do: 'reply', to: link, message });
};

export const replyFailed = (
  cacher: Cacher,
  link: string,
  request: number,
  code: ErrorCode,
  message: string,
): void => {
  reply(cacher, link, { type: 'failed', request, code, message });
};

/** The server has named no second node that could keep a write. */
export const isDegraded = (cacher: Cacher): boolean => cacher.members.length < 2;

/** Makes a request of the server about one file; it is repeated until it is answered (rule 16). */
export const ask = (
  cacher: Cacher,
  cached: CachedFile,
  message: Want['message'],
  operation?: Operation,
): void => {
  assert(cached.want === undefined, `file ${cached.file}: two requests at once`);
  cached.want = { message, operation, sentAtMs: cacher.now };
  if (cacher.admitted) sendToServer(cacher, message);
};

export const newRequest = (cacher: Cacher): number => {
  const request = cacher.nextRequest;
  cacher.nextRequest = request === 0xffff_ffff ? 1 : request + 1;
  return request;
};
