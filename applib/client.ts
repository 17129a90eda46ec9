/** I/O: the application library, in the form of JavaScript: `connect`, `fs.open`, `file.read`. */

import { FsError, messageOf } from '../protocol/errors.ts';
import type { FileNumber, Geometry, NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { readKeyFile, type Security } from '../rudp/index.ts';
import { Connection } from './connection.ts';
import { CoopFile } from './file.ts';
import type { Dial } from './link.ts';
import { fileServer } from './server_link.ts';
import { unixSocket } from './unix_socket.ts';

/** How long a daemon may take to answer a new connection, unless `connectTimeoutMs` says otherwise. */
export const CONNECT_TIMEOUT_MS = 5000;
/** The longest such time that can be asked for. */
export const CONNECT_TIMEOUT_LIMIT_MS = 3_600_000;

export interface ConnectOptions {
  /** The unix socket of this node's cacher; the default is COOPFS_SOCKET of the environment. */
  readonly socket?: string;
  /** The file server, "host:port", to be asked directly instead of a cacher; caches nothing. */
  readonly server?: string;
  /** With `server`: the key file of the cluster; the default is COOPFS_KEY_FILE of the environment. */
  readonly keyFile?: string;
  /** With `server`: the key itself, 32 bytes, instead of a file. */
  readonly key?: Uint8Array;
  /** With `server`: no key, for a file server that was started with --insecure. */
  readonly insecure?: boolean;
  readonly connectTimeoutMs?: number;
}

/** Where a file is, as the file server's directory and the asked node know it. */
export type FileLocation = Omit<Message<'whereDone'>, 'type' | 'request'>;

const timeoutOf = (options: ConnectOptions): number => {
  const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  if (timeoutMs >= 1 && timeoutMs <= CONNECT_TIMEOUT_LIMIT_MS) return timeoutMs;
  const right = `must be 1 to ${CONNECT_TIMEOUT_LIMIT_MS}`;
  throw new FsError('EINVAL', `connectTimeoutMs is ${timeoutMs}, ${right}`);
};

/** What the packets to a file server are protected by. */
const securityOf = ({ key, keyFile, insecure }: ConnectOptions): Security => {
  const given = [key, keyFile, insecure === true ? insecure : undefined];
  if (given.filter((each) => each !== undefined).length > 1) {
    throw new FsError('EINVAL', 'of key, keyFile and insecure, give one');
  }
  if (insecure === true) return { insecure };
  if (key !== undefined) return { keys: [key] };
  const path = keyFile ?? process.env['COOPFS_KEY_FILE'];
  if (path === undefined || path === '') {
    const right = 'pass { keyFile } or { key }, or set COOPFS_KEY_FILE';
    throw new FsError('EINVAL', `the key of the cluster is not known: ${right}`);
  }
  try {
    return { keys: readKeyFile(path) };
  } catch (error) {
    throw new FsError('EINVAL', messageOf(error));
  }
};

const dialOf = (options: ConnectOptions): Dial => {
  const { socket, server } = options;
  if (socket !== undefined && server !== undefined) {
    throw new FsError(
      'EINVAL',
      `both socket (${socket}) and server (${server}) are given, give one`,
    );
  }
  if (server !== undefined) return fileServer(server, securityOf(options), timeoutOf(options));
  const path = socket ?? process.env['COOPFS_SOCKET'];
  if (path === undefined || path === '') {
    const right = 'pass { socket } or { server }, or set COOPFS_SOCKET';
    throw new FsError('EINVAL', `it is not known where the cacher listens: ${right}`);
  }
  return unixSocket(path);
};

interface Live {
  readonly connection: Connection;
  readonly welcome: Message<'welcome'>;
}

/**
 * A file system, by way of one daemon. Any number of requests may be in flight. If the daemon goes
 * away, what waits and every call on a file that was open rejects with ECONNLOST; the next `open`
 * (or `where`, or `status`) connects anew. A connection on which nothing waits does not keep the
 * process alive, if it is one to a cacher; one to the file server does until it is closed.
 */
export class CoopFs {
  readonly #dial: Dial;
  readonly #timeoutMs: number;
  #live: Live;
  #connecting: Promise<Live> | undefined;
  #closed = false;

  private constructor(dial: Dial, timeoutMs: number, live: Live) {
    this.#dial = dial;
    this.#timeoutMs = timeoutMs;
    this.#live = live;
  }

  static async connect(options: ConnectOptions): Promise<CoopFs> {
    const dial = dialOf(options);
    const timeoutMs = timeoutOf(options);
    return new CoopFs(dial, timeoutMs, await Connection.connect(dial, timeoutMs));
  }

  /** The node that answers: a cacher's name, or "server". */
  get node(): NodeId {
    return this.#live.welcome.node;
  }

  /** The size of the volume and of its files. */
  get geometry(): Geometry {
    return this.#live.welcome.geometry;
  }

  /**
   * Opens a file: mode 'r' (or 0) to read, 'w' (or 1) to read and write; contents are never cut.
   * Rejects with EINVAL, ENOENT (no such file on the volume), EBUSY (open on this connection, or
   * written by another while the policy is to fail), ECONNLOST, ETIMEDOUT.
   */
  async open(file: number, mode: 'r' | 'w' | number): Promise<CoopFile> {
    const connection = await this.#connection();
    const { request, answer } = await connection.ask<'open'>((session) => session.open(file, mode));
    return new CoopFile(connection, file as FileNumber, request, answer.sizeBytes);
  }

  /** Where a file is: its state, owner, backup, sharers. Rejects with EINVAL, ENOENT, ECONNLOST. */
  async where(file: number): Promise<FileLocation> {
    const connection = await this.#connection();
    const { answer } = await connection.ask<'where'>((session) => session.where(file));
    const { state, version, term, owner, backup, sharers, epoch, eviction } = answer;
    return { file: answer.file, state, version, term, owner, backup, sharers, epoch, eviction };
  }

  /** What the daemon says of itself: the object it made of its counters. Rejects with ECONNLOST. */
  async status(): Promise<unknown> {
    const connection = await this.#connection();
    const { answer } = await connection.ask<'status'>((session) => session.status());
    try {
      return JSON.parse(answer.json) as unknown;
    } catch (error) {
      throw new FsError('EPROTO', `the status is not JSON: ${messageOf(error)}`);
    }
  }

  /**
   * Resolves when every write to `file`, or without it to any file, that was acknowledged before the call is on
   * the server's disk. Rejects with EINVAL, ENOENT, ESTALE (it is lost), ETIMEDOUT, ECONNLOST.
   */
  async flush(file?: number): Promise<void> {
    const connection = await this.#connection();
    await connection.ask<'flush'>((session) => session.flush(file));
  }

  /**
   * Tells the file server (connect with `server`) that a node does not come back: files whose newest
   * contents only it may have need not wait for it, and are lost if nobody else has them. Resolves with
   * how many files waited for it. Rejects with EINVAL, EBUSY (it is a member), EPROTO (asked of a cacher).
   */
  async forget(node: string): Promise<number> {
    const connection = await this.#connection();
    const { answer } = await connection.ask<'forget'>((session) => session.forget(node));
    return answer.files;
  }

  /** Ends the connection; its files are closed, what waits and later calls reject with ECONNLOST. */
  async close(): Promise<void> {
    this.#closed = true;
    const connecting = await this.#connecting?.catch(() => undefined);
    await connecting?.connection.close();
    await this.#live.connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The connection, made anew if it was lost. */
  async #connection(): Promise<Connection> {
    if (this.#closed) throw new FsError('ECONNLOST', 'this program closed the connection');
    if (!this.#live.connection.lost) return this.#live.connection;
    this.#connecting ??= Connection.connect(this.#dial, this.#timeoutMs);
    try {
      const live = await this.#connecting;
      this.#live = live;
      return live.connection;
    } finally {
      this.#connecting = undefined;
    }
  }
}

/**
 * Connects to this node's cacher, or directly to the file server. Rejects with EINVAL (options),
 * ECONNLOST (nobody there), ETIMEDOUT (no welcome in time), ESHUTDOWN (the daemon is stopping).
 */
export const connect = (options: ConnectOptions = {}): Promise<CoopFs> => CoopFs.connect(options);
