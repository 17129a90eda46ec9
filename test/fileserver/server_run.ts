/** A file server core on its own: a test plays the cachers, the direct clients and the disk. */

import type { CommitRecord, FileMeta } from '../../fileserver/disk/disk_core.ts';
import {
  handleCommitted,
  handleFileRead,
  handleMessage,
  handleTimeout,
  newServer,
  pollCommand,
} from '../../fileserver/server_core.ts';
import { entryOf, type Server, type ServerCommand } from '../../fileserver/server_state.ts';
import type { Holding } from '../../protocol/fields.ts';
import {
  FIRST_VERSION,
  type FileNumber,
  type NodeId,
  type OpenPolicy,
} from '../../protocol/ids.ts';
import { orderOf, type Message } from '../../protocol/messages.ts';
import { showEntry } from '../scenarios/show.ts';

export const FILE = 7 as FileNumber;
export const GEOMETRY = { files: 16, blockSizeBytes: 8, blocksPerFile: 1 };
export const CONTENTS = new TextEncoder().encode('contents');
export const PAGES = 4;
export const HEARTBEAT_MS = 100;
/** A lease longer than any test that is not about leases. */
export const LONG_MS = 1e9;

export class ServerRun {
  readonly server: Server;
  readonly metas = new Map<FileNumber, FileMeta>();
  /** What was journaled, in order. */
  readonly records: CommitRecord[] = [];
  #kept: ServerCommand[] = [];
  /** Why the disk cannot read a file now, if it cannot. */
  damage: string | undefined;
  /** While it is set, reads of the disk are kept here instead of being answered. */
  slowReads: number[] | undefined;
  readonly #heartbeats = new Map<string, number>();
  now = 0;

  constructor(
    openPolicy: OpenPolicy = 'share',
    leaseMs = LONG_MS,
    scrubMs = LONG_MS,
    epoch = 1,
    recoveriesAtOnce = 64,
  ) {
    const times = {
      heartbeatMs: HEARTBEAT_MS,
      leaseMs,
      marginMs: leaseMs / 4,
      lostAfterMs: LONG_MS,
      scrubMs,
      degradedPolicy: 'write-through',
      recoveriesAtOnce,
    } as const;
    this.server = newServer({ geometry: GEOMETRY, epoch, openPolicy, ...times }, 0, (file) =>
      this.meta(file),
    );
  }

  meta(file: FileNumber): FileMeta {
    return (
      this.metas.get(file) ?? { version: FIRST_VERSION, mark: undefined, outcomes: [], losses: 0 }
    );
  }

  /** A message by a link: "n1#1" of a member, any other name of a stranger. */
  from(link: string, message: Message): void {
    handleMessage(this.server, link, message, this.now);
    this.#disk();
  }

  /** The disk answers at once. */
  #disk(): void {
    for (let next = pollCommand(this.server); next; next = pollCommand(this.server)) {
      if (next.do === 'readFile' && this.slowReads !== undefined) {
        this.slowReads.push(next.token);
      } else if (next.do === 'readFile') {
        handleFileRead(this.server, next.token, this.damage ?? CONTENTS.slice(), this.now);
      } else if (next.do === 'commit') {
        this.records.push(...next.records);
        for (const record of next.records) this.#apply(record);
        handleCommitted(this.server, next.token, this.now);
      } else {
        this.#kept.push(next);
      }
    }
  }

  /** The reads that were kept are answered, and all others at once again. */
  answerReads(): void {
    const tokens = this.slowReads ?? [];
    this.slowReads = undefined;
    for (const token of tokens) handleFileRead(this.server, token, CONTENTS.slice(), this.now);
    this.#disk();
  }

  #apply(record: CommitRecord): void {
    if (record.kind === 'mark') {
      this.metas.set(record.file, { ...this.meta(record.file), mark: record.mark });
    } else if (record.kind !== 'epoch') {
      const { file, version } = record;
      const losses = this.meta(file).losses + (record.afterLoss === true ? 1 : 0);
      if (record.kind === 'contents') this.damage = undefined;
      const { outcomes } = record.kind === 'contents' ? record : this.meta(file);
      this.metas.set(file, { version, mark: undefined, outcomes, losses });
    }
  }

  register(...nodes: string[]): void {
    for (const node of nodes) {
      this.from(`${node}#1`, registerOf(node));
      this.beat(node);
    }
    this.take();
  }

  /** What its heartbeats call the registration of a member; 0 if it is none. */
  registrationOf(link: string): number {
    const member = [...this.server.members.values()].find((each) => each.link === link);
    return member?.firstClient ?? 0;
  }

  take(): ServerCommand[] {
    this.#disk();
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  /** The messages sent by a link since the last `take`. */
  sent(link: string): Message[] {
    return this.take().flatMap((each) =>
      each.do === 'send' && each.to === link ? [each.message] : [],
    );
  }

  warnings(): string[] {
    return this.take().flatMap((each) =>
      each.do === 'log' && each.level === 'warn' ? [each.text] : [],
    );
  }

  /** Lets every member answer its orders as a cacher with room would, until nothing is left. */
  settle(): void {
    for (let commands = this.take(); commands.length > 0; commands = this.take()) {
      for (const each of commands) {
        if (each.do === 'send') this.#obey(each.to, each.message);
      }
    }
  }

  #obey(link: string, message: Message): void {
    const order = orderOf(message);
    if (order === undefined || !('file' in message)) return;
    const { file } = message;
    const contents = { version: { term: 1, counter: 1 }, bytes: CONTENTS, outcomes: [] };
    const answers: Partial<Record<Message['type'], Message>> = {
      data: { type: 'received', order, file, held: true },
      invalidate: { type: 'invalidated', order, file },
      freeze: { type: 'frozen', order, file, ...contents },
      drop: { type: 'dropped', order, file, held: false },
      prepareBackup: { type: 'backupPrepared', order, file, full: false, holds: false },
      grant: { type: 'granted', order, file, taken: true },
      noBackup: { type: 'received', order, file, held: true },
      writeThroughDone: { type: 'received', order, file, held: true },
      collect: { type: 'collected', order, file, ...contents },
      clean: { type: 'cleaned', order, file },
      recover: {
        type: 'recovered',
        order,
        file,
        kind: 'none',
        ungranted: 0,
        base: 0,
        term: 0,
        version: FIRST_VERSION,
      },
      prepareOwner: { type: 'ownerPrepared', order, file },
      lost: { type: 'lostNoted', order, file },
      promote: { type: 'promoted', order, file },
      confirmBackup: { type: 'backupConfirmed', order, file },
      readOnce: { type: 'readOnceDone', order, file, ...contents },
    };
    const answer = answers[message.type];
    if (answer !== undefined) this.from(link, answer);
    if (message.type === 'forward') {
      this.from(`${message.to}#1`, { type: 'received', order, file, held: true });
    }
    if (message.type === 'freeze' && message.forward) {
      this.from(`${message.newOwner ?? ''}#1`, { type: 'received', order, file, held: true });
    }
  }

  /** A heartbeat of a member, in its first life unless it is named n1#2, that heard the answers to all before it. */
  beat(node: string, echo?: number): void {
    const sequence = (this.#heartbeats.get(node) ?? 0) + 1;
    this.#heartbeats.set(node, sequence);
    const hints = { freePages: PAGES, oldestUseMs: 0, candidates: [] };
    const link = node.includes('#') ? node : `${node}#1`;
    const registration = this.registrationOf(link);
    const heard = echo ?? sequence - 1;
    this.from(link, { type: 'heartbeat', sequence, ...hints, echo: heard, registration });
  }

  /** Lets time pass, heartbeat by heartbeat, in which these members are heard and hear. */
  pass(byMs: number, ...alive: string[]): void {
    const end = this.now + byMs;
    while (this.now < end) {
      this.now = Math.min(end, this.now + HEARTBEAT_MS);
      for (const node of alive) this.beat(node);
      handleTimeout(this.server, this.now);
      this.#disk();
    }
  }

  /** Makes `node` the owner of the file. */
  write(node: string, file = FILE): void {
    this.from(`${node}#1`, { type: 'getModified', request: 50, file, holds: false });
    this.settle();
  }

  read(node: string, file = FILE): void {
    this.from(`${node}#1`, { type: 'getShared', request: 51, file });
    this.settle();
  }

  entry(file = FILE): string {
    return showEntry(entryOf(this.server, file));
  }
}

export const registerOf = (
  node: string,
  incarnation = 1,
  holdings: readonly Holding[] = [],
): Message<'register'> => ({
  type: 'register',
  node: node as NodeId,
  incarnation,
  address: `${node}:1`,
  pages: PAGES,
  holdings,
  writers: [],
  attempt: 1,
});

export const codes = (messages: readonly Message[]): string[] =>
  messages.map((each) => ('code' in each ? each.code : each.type));
