/** Applications that open, read and write at random, with values that are never written twice. */

import type { Operation } from '../../cli/check/operation.ts';
import {
  compareVersions,
  fileSizeBytes,
  SERVER,
  type FileNumber,
  type Geometry,
  type Version,
} from '../../protocol/ids.ts';
import { decode, encode } from '../../protocol/codec.ts';
import { channelOf, priorityOf, type Message } from '../../protocol/messages.ts';
import { fail, type World } from './world.ts';

/** How an application reaches its daemon: a cacher, or the file server. */
export interface Port {
  readonly name: string;
  readonly request: (message: Message) => void;
}

export interface ApplicationSettings {
  readonly operations: number;
  /** How long it pauses between two operations at most. */
  readonly thinkMs: number;
  /** Files it uses; the first ones more often. */
  readonly files: number;
}

/** Everything that all applications did, for the checker. */
export interface History {
  readonly operations: Operation[];
  /** File → the newest version whose write was acknowledged from two memories. */
  readonly acknowledged: Map<FileNumber, Version>;
  /** Every such write. */
  readonly writes: { readonly file: FileNumber; readonly version: Version }[];
  /** File → when the server last declared writes of it lost. */
  readonly lostAtMs: Map<FileNumber, number>;
  /** A call that began at `sinceMs` may fail for damage of the file on the disk. */
  mayFail: (file: FileNumber, sinceMs: number) => boolean;
  /** The version that the disk has; undefined while the server is down. */
  diskVersion: (file: FileNumber) => Version | undefined;
  failures: number;
  /** How many of those writes the disk lacks after an orderly stop. */
  unsaved: number;
  /** Undefined while nobody has looked. */
  linearizable: boolean | undefined;
}

/** What is called and not yet answered. */
interface Call {
  readonly message: Message<'open' | 'read' | 'write' | 'close' | 'flush'>;
  readonly startMs: number;
  /** What was acknowledged when a flush was asked for. */
  readonly acknowledged: ReadonlyMap<FileNumber, Version> | undefined;
}

export class SimulatedApplication {
  readonly #world: World;
  readonly #port: Port;
  readonly #settings: ApplicationSettings;
  readonly #history: History;
  readonly #geometry: Geometry;
  readonly #open = new Map<FileNumber, { mode: number; sinceMs: number; stale: boolean }>();
  #call: Call | undefined;
  #request = 0;
  /** Counts lost connections; what was planned on an earlier one is void. */
  #connection = 0;
  #left: number;

  constructor(
    world: World,
    port: Port,
    geometry: Geometry,
    settings: ApplicationSettings,
    history: History,
  ) {
    this.#world = world;
    this.#port = port;
    this.#geometry = geometry;
    this.#settings = settings;
    this.#history = history;
    this.#left = settings.operations;
  }

  get done(): boolean {
    return this.#left <= 0 && this.#call === undefined;
  }

  /** What it waits for, for the report of a run that does not end. */
  get waitsFor(): string {
    if (this.#call === undefined) return '';
    return `${this.#port.name}: ${this.#call.message.type} ${this.#call.message.file}`;
  }

  /** Since when it waits; Infinity while it does not. */
  get waitsSinceMs(): number {
    return this.#call?.startMs ?? Infinity;
  }

  /** Begins nothing more. */
  finish(): void {
    this.#left = 0;
  }

  /** The connection is gone: what was called may or may not have happened; nothing is open. */
  lost(): void {
    this.#connection++;
    this.#open.clear();
    const call = this.#call;
    this.#call = undefined;
    if (call?.message.type === 'write') this.#unknown(call.message, call.startMs);
  }

  /** A write that may have happened, at any time from its start on. */
  #unknown(message: Message<'write'>, startMs: number): void {
    const { file, offset } = message;
    const bytes = message.bytes.slice(0, fileSizeBytes(this.#geometry) - offset);
    this.#history.operations.push({
      process: this.#port.name,
      kind: 'write',
      file,
      offset,
      bytes,
      startNs: startMs,
      endNs: undefined,
    });
  }

  /** Hears the daemon's answers. */
  readonly listener = (message: Message): void => {
    if (message.type === 'welcome') {
      // A server that stood still may greet twice; what was planned after the first greeting is void.
      if (this.#call !== undefined) return;
      this.#connection++;
      this.#think();
      return;
    }
    const call = this.#call;
    if (call === undefined || !('request' in message)) return;
    if (message.request !== call.message.request) return;
    this.#call = undefined;
    this.#finish(call, message);
    this.#think();
  };

  #think(): void {
    if (this.#left <= 0) return;
    const connection = this.#connection;
    this.#world.queue.after(this.#world.random() * this.#settings.thinkMs, () => {
      if (connection === this.#connection && this.#left > 0) this.#next();
    });
  }

  #next(): void {
    const { random } = this.#world;
    const file = Math.floor(random() ** 2 * this.#settings.files) as FileNumber;
    const request = ++this.#request;
    const open = this.#open.get(file);
    this.#left--;
    if (open === undefined) {
      this.#start({ type: 'open', request, file, mode: random() < 0.6 ? 1 : 0 });
    } else if (open.stale || random() < 0.1) {
      this.#start({ type: 'close', request, file });
    } else if (random() < 0.05) {
      this.#start({ type: 'flush', request, file, all: random() < 0.2 });
    } else {
      this.#use(file, open.mode, request);
    }
  }

  #use(file: FileNumber, mode: number, request: number): void {
    const { random } = this.#world;
    const size = fileSizeBytes(this.#geometry);
    const offset = random() < 0.5 ? 0 : Math.floor(random() * size);
    const length = random() < 0.3 ? size : 1 + Math.floor(random() * 40);
    if (mode === 0 || random() < 0.5) {
      this.#start({ type: 'read', request, file, offset, length });
      return;
    }
    const text = `<${this.#port.name}:${request}>`.repeat(1 + Math.floor(length / 8));
    const bytes = new TextEncoder().encode(text).slice(0, Math.max(12, length));
    this.#start({ type: 'write', request, file, offset, bytes });
  }

  #start(message: Call['message']): void {
    const acknowledged = message.type === 'flush' ? new Map(this.#history.acknowledged) : undefined;
    this.#call = { message, startMs: this.#world.queue.now, acknowledged };
    this.#port.request(message);
  }

  #finish({ message, startMs, acknowledged }: Call, answer: Message): void {
    const { file } = message;
    const base = { process: this.#port.name, file, startNs: startMs, endNs: this.#world.queue.now };
    if (answer.type === 'failed') {
      this.#history.failures++;
      this.#world.trace(`${this.#port.name} ${message.type} ${file}: ${answer.code}`);
      if (answer.code === 'ETIMEDOUT') {
        if (message.type === 'write') this.#unknown(message, startMs);
        return;
      }
      if (answer.code === 'ESTALE' && this.#history.lostAtMs.has(file)) {
        const open = this.#open.get(file);
        if (open !== undefined) open.stale = true;
        if (message.type === 'write') this.#unknown(message, startMs);
        return;
      }
      // One of the files of a flush of all.
      if (answer.code === 'ESTALE' && message.type === 'flush' && message.all) return;
      // Nobody has the file but a disk with a damaged block.
      if (answer.code === 'EIO' && this.#history.mayFail(file, startMs)) {
        if (message.type === 'write') this.#unknown(message, startMs);
        if (message.type === 'read' || message.type === 'write') return;
      }
      // Its node is leaving.
      if (answer.code === 'ESHUTDOWN') return;
      if (answer.code === 'EROFS' && message.type === 'write') return;
      if (answer.code !== 'EBUSY') {
        fail(`${message.type} ${file}: ${answer.code} ${answer.message}`);
      }
      return;
    }
    if (message.type === 'flush') this.#checkFlushed(message, acknowledged);
    else if (message.type !== 'open' && message.type !== 'close') this.#checkFresh(file);
    if (message.type === 'open') {
      this.#open.set(file, { mode: message.mode, sinceMs: startMs, stale: false });
    }
    if (message.type === 'close') this.#open.delete(file);
    if (message.type === 'read' && answer.type === 'readDone') {
      const { offset, length } = message;
      const reached = Math.min(length, fileSizeBytes(this.#geometry) - offset);
      this.#history.operations.push({
        ...base,
        kind: 'read',
        offset,
        length: reached,
        bytes: answer.bytes.slice(),
      });
    }
    if (message.type === 'write' && answer.type === 'writeDone') {
      const { offset, bytes } = message;
      this.#history.operations.push({
        ...base,
        kind: 'write',
        offset,
        bytes: bytes.slice(0, answer.count),
      });
      if (answer.copies === 2) this.#acknowledge(file, answer.version);
    }
  }

  /** What was acknowledged when the flush was asked for is on the disk, or was lost since, and said to be. */
  #checkFlushed(message: Message<'flush'>, acknowledged: Call['acknowledged'] = new Map()): void {
    for (const [file, version] of acknowledged) {
      const saved = this.#history.diskVersion(file);
      if (saved === undefined || (!message.all && file !== message.file)) continue;
      if (compareVersions(saved, version) < 0) fail(`file ${file} was flushed and is not saved`);
    }
  }

  /** A handle from before a loss is of no use after it. */
  #checkFresh(file: FileNumber): void {
    const lostAtMs = this.#history.lostAtMs.get(file) ?? Infinity;
    const openedMs = this.#open.get(file)?.sinceMs ?? Infinity;
    if (openedMs < lostAtMs && this.#world.queue.now > lostAtMs) {
      fail(`${this.#port.name} uses file ${file} as it was open before its writes were lost`);
    }
  }

  #acknowledge(file: FileNumber, version: Version): void {
    this.#history.writes.push({ file, version });
    const before = this.#history.acknowledged.get(file);
    if (before === undefined || compareVersions(version, before) > 0) {
      this.#history.acknowledged.set(file, version);
    }
  }
}

/** An application that talks to the file server itself; it starts when its link is up. */
export const connectDirectly = (
  world: World,
  name: string,
  start: (port: Port) => SimulatedApplication,
): void => {
  let application: SimulatedApplication | undefined;
  const send = (message: Message): void => {
    links.send(SERVER, channelOf(message), encode(message), priorityOf(message));
  };
  const links = world.network(name, 1, {
    up: () => {
      application ??= start({ name, request: send });
      send({ type: 'hello', protocol: 1 });
    },
    down: () => {
      application?.lost();
    },
    message: (_peer, bytes) => {
      application?.listener(decode(bytes));
    },
  });
  links.setPeer(SERVER, SERVER, 'always');
};
