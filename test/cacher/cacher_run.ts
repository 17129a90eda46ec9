/** A registered cacher core on its own: a test plays the server, the peers and the applications. */

import {
  handleApplication,
  handleMessage,
  handlePeerUp,
  newCacher,
  pollCommand,
} from '../../cacher/cacher_core.ts';
import type { Cacher, CacherCommand } from '../../cacher/cacher_state.ts';
import { COURSE } from '../../cacher/replacement.ts';
import {
  FIRST_VERSION,
  SERVER,
  type ClientId,
  type FileNumber,
  type NodeId,
  type OpenPolicy,
  type Order,
} from '../../protocol/ids.ts';
import type { Message, MessageType } from '../../protocol/messages.ts';

export const FILE = 7 as FileNumber;
export const N1 = 'n1' as NodeId;
export const N2 = 'n2' as NodeId;
export const N3 = 'n3' as NodeId;
export const EPOCH = 1;
export const GEOMETRY = { files: 20, blockSizeBytes: 8, blocksPerFile: 1 };
export const CONTENTS = new TextEncoder().encode('contents');

export const orderOf = (sequence: number): Order => ({ epoch: EPOCH, sequence });

export interface RunOptions {
  readonly pages?: number;
  readonly openPolicy?: OpenPolicy;
  readonly leaseMs?: number;
  readonly serverWaitMs?: number;
}

export const FIRST_CLIENT = 65_536 as ClientId;
/** Longer than any test that is not about leases. */
export const LONG_MS = 1e9;

/** The answer to a first registration. */
export const welcome = (
  openPolicy: OpenPolicy = 'share',
  leaseMs = LONG_MS,
): Message<'registered'> => ({
  type: 'registered',
  epoch: EPOCH,
  geometry: GEOMETRY,
  openPolicy,
  heartbeatMs: 100,
  leaseMs,
  members: [],
  kept: [],
  wanted: [],
  losses: [],
  firstSequence: 0,
  firstClient: FIRST_CLIENT,
  attempt: 1,
});

/** The answer to the second time of asking: another registration. */
export const anew = (...args: Parameters<typeof welcome>): Message<'registered'> => ({
  ...welcome(...args),
  firstClient: (2 * FIRST_CLIENT) as ClientId,
  attempt: 2,
});

export class CacherRun {
  readonly cacher: Cacher;
  now = 0;

  constructor(options: RunOptions = {}) {
    const { pages = 2, openPolicy = 'share', leaseMs = LONG_MS, serverWaitMs = LONG_MS } = options;
    const own = { node: N1, incarnation: 1, address: 'n1', writebackIntervalMs: 30_000 };
    this.cacher = newCacher({ ...own, serverWaitMs, pages, policy: COURSE }, 0);
    handlePeerUp(this.cacher, SERVER, 0);
    const members = [N1, N2, N3].map((node) => ({ node, incarnation: 1, address: node }));
    this.server({ ...welcome(openPolicy, leaseMs), members });
    this.application('app', { type: 'hello', protocol: 1 });
    this.take();
  }

  server(message: Message): void {
    handleMessage(this.cacher, SERVER, message, this.now);
  }

  peer(from: NodeId, message: Message): void {
    handleMessage(this.cacher, from, message, this.now);
  }

  application(link: string, message: Message): void {
    handleApplication(this.cacher, link, message, this.now);
  }

  /** All commands since the last call. */
  take(): CacherCommand[] {
    const commands: CacherCommand[] = [];
    for (let next = pollCommand(this.cacher); next; next = pollCommand(this.cacher)) {
      commands.push(next);
    }
    return commands;
  }

  /** The messages sent to `to` since the last `take`, logs and all else dropped. */
  sent(to: NodeId = SERVER): Message[] {
    return this.take().flatMap((each) =>
      each.do === 'send' && each.to === to && each.message.type !== 'heartbeat'
        ? [each.message]
        : [],
    );
  }

  replies(link = 'app'): Message[] {
    return this.take().flatMap((each) =>
      each.do === 'reply' && each.to === link ? [each.message] : [],
    );
  }

  open(file: FileNumber = FILE, mode = 1): void {
    this.application('app', { type: 'open', request: 1, file, mode });
    this.take();
  }

  /** The number of the request of `type` that the cacher has just made. */
  request(type: MessageType): number {
    const found = this.sent().find((message) => message.type === type);
    if (found === undefined || !('request' in found)) throw new Error(`no ${type} was sent`);
    return found.request;
  }

  /** Reads the file from the server, so that a clean copy is here. */
  read(file: FileNumber = FILE, sequence = 1): void {
    if (this.cacher.applications.get('app')?.files.has(file) !== true) this.open(file);
    this.application('app', { type: 'read', request: 2, file, offset: 0, length: 8 });
    const request = this.request('getShared');
    this.server(dataFor(request, file, sequence));
    this.take();
  }

  /** Makes this node the owner with n2 as backup, the first write acknowledged. */
  write(text: string, file: FileNumber = FILE, sequence = 1): void {
    this.open(file);
    this.application('app', writeOf(3, text, file));
    const request = this.request('getModified');
    this.server(grantFor(request, file, sequence));
    const version = this.cacher.files.get(file)?.version ?? FIRST_VERSION;
    this.peer(N2, { type: 'backupAck', file, term: 1, version });
    this.take();
  }

  copy(file: FileNumber = FILE): string {
    return this.cacher.files.get(file)?.copy ?? 'invalid';
  }

  text(file: FileNumber = FILE): string {
    return new TextDecoder().decode(this.cacher.files.get(file)?.bytes);
  }
}

export const dataFor = (request: number, file = FILE, sequence = 1): Message<'data'> => ({
  type: 'data',
  order: orderOf(sequence),
  file,
  request,
  source: 'disk',
  copies: 1,
  version: FIRST_VERSION,
  bytes: CONTENTS,
  outcomes: [],
});

export const grantFor = (request: number, file = FILE, sequence = 1): Message<'grant'> => ({
  type: 'grant',
  order: orderOf(sequence),
  file,
  request,
  term: 1,
  backup: N2,
  backupHolds: false,
  source: 'disk',
  version: FIRST_VERSION,
  bytes: CONTENTS,
  outcomes: [],
});

export const writeOf = (request: number, text: string, file = FILE): Message<'write'> => ({
  type: 'write',
  request,
  file,
  offset: 0,
  bytes: new TextEncoder().encode(text),
});
