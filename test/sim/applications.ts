/** Applications that open, read and write at random, with values that are never written twice. */

import type { Operation } from '../../cli/check/operation.ts';
import { fileSizeBytes, type FileNumber, type Geometry } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
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
  readonly acknowledged: Map<FileNumber, { term: number; counter: number }>;
  failures: number;
}

/** What is called and not yet answered. */
interface Call {
  readonly message: Message<'open' | 'read' | 'write' | 'close'>;
  readonly startMs: number;
}

export class SimulatedApplication {
  readonly #world: World;
  readonly #port: Port;
  readonly #settings: ApplicationSettings;
  readonly #history: History;
  readonly #geometry: Geometry;
  readonly #open = new Map<FileNumber, number>();
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
      if (connection === this.#connection) this.#next();
    });
  }

  #next(): void {
    const { random } = this.#world;
    const file = Math.floor(random() ** 2 * this.#settings.files) as FileNumber;
    const request = ++this.#request;
    const mode = this.#open.get(file);
    this.#left--;
    if (mode === undefined) {
      this.#start({ type: 'open', request, file, mode: random() < 0.6 ? 1 : 0 });
    } else if (random() < 0.1) {
      this.#start({ type: 'close', request, file });
    } else {
      this.#use(file, mode, request);
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
    this.#call = { message, startMs: this.#world.queue.now };
    this.#port.request(message);
  }

  #finish({ message, startMs }: Call, answer: Message): void {
    const { file } = message;
    const base = { process: this.#port.name, file, startNs: startMs, endNs: this.#world.queue.now };
    if (answer.type === 'failed') {
      this.#history.failures++;
      this.#world.trace(`${this.#port.name} ${message.type} ${file}: ${answer.code}`);
      if (answer.code === 'ETIMEDOUT') {
        if (message.type === 'write') this.#unknown(message, startMs);
        return;
      }
      if (answer.code !== 'EBUSY')
        fail(`${message.type} ${file}: ${answer.code} ${answer.message}`);
      return;
    }
    if (message.type === 'open') this.#open.set(file, message.mode);
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

  #acknowledge(file: FileNumber, version: { term: number; counter: number }): void {
    const before = this.#history.acknowledged.get(file);
    const newer =
      before === undefined ||
      version.term > before.term ||
      (version.term === before.term && version.counter > before.counter);
    if (newer) this.#history.acknowledged.set(file, version);
  }
}
