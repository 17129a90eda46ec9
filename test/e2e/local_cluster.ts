/** Does I/O: a cluster in this process: real daemons on real sockets, in a temporary folder. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { pino, type Logger } from 'pino';
import { connect, type CoopFs } from '../../applib/index.ts';
import { startCacher, type CacherDaemon } from '../../cacher/daemon.ts';
import { startFileServer, type FileServer } from '../../fileserver/daemon.ts';
import { formatImage } from '../../fileserver/disk/image_file.ts';
import type { Geometry, NodeId, OpenPolicy } from '../../protocol/ids.ts';

export const HOST = '127.0.0.1';
/** The key of every cluster of these tests. */
export const KEY = new Uint8Array(32).fill(0x63);
/** Long enough for a machine that is busy with other tests, short enough to wait for after a restart. */
export const LEASES = {
  leaseMs: 1000,
  marginMs: 250,
  lostAfterMs: 60_000,
  degradedPolicy: 'write-through',
} as const;
/** So long that nothing is scrubbed, but where a test wishes it. */
export const NO_SCRUB_MS = 86_400_000;
export const SERVER_WAIT_MS = 10_000;

interface Wish {
  /** How many cachers: n1, n2, … */
  readonly cachers?: number;
  readonly pages?: number;
  readonly geometry?: Partial<Geometry>;
  readonly openPolicy?: OpenPolicy;
  /** In how long the disk is checked once; else never in the time of a test. */
  readonly scrubMs?: number;
}

interface LogLine {
  readonly level: number;
  readonly name: string;
  readonly msg: string;
}

export class LocalCluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'coopfs-e2e-'));
  readonly cachers = new Map<string, CacherDaemon>();
  readonly lines: LogLine[] = [];
  readonly #wish: Wish;
  readonly #connections: CoopFs[] = [];
  #server: FileServer | undefined;

  private constructor(wish: Wish) {
    this.#wish = wish;
  }

  /** Formats a disk and starts a file server and the cachers that are wished for. */
  static async start(wish: Wish = {}): Promise<LocalCluster> {
    const cluster = new LocalCluster(wish);
    const geometry = { files: 256, blockSizeBytes: 128, blocksPerFile: 8, ...wish.geometry };
    await formatImage(cluster.disk, geometry, { fill: '.' });
    await cluster.startAll();
    return cluster;
  }

  get disk(): string {
    return join(this.folder, 'disk.img');
  }

  get server(): FileServer {
    if (this.#server === undefined) throw new Error('the file server does not run');
    return this.#server;
  }

  /** The server and all cachers of the wish, on the disk that is there. */
  async startAll(): Promise<void> {
    this.#server = await startFileServer({
      disk: this.disk,
      listen: { host: HOST, port: 0 },
      openPolicy: this.#wish.openPolicy ?? 'share',
      heartbeatMs: 100,
      ...LEASES,
      scrubMs: this.#wish.scrubMs ?? NO_SCRUB_MS,
      cachePages: 128,
      security: { keys: [KEY] },
      log: this.log('server'),
    });
    const count = this.#wish.cachers ?? 2;
    for (let number = 1; number <= count; number++) await this.addCacher(`n${number}`);
  }

  socketOf(node: string): string {
    return join(this.folder, `${node}.sock`);
  }

  log(name: string): Logger {
    const write = (line: string): void => {
      this.lines.push(JSON.parse(line) as LogLine);
    };
    return pino({ name }, { write });
  }

  /** Starts a cacher; rejects as startCacher does. */
  async addCacher(node: string, socket = this.socketOf(node)): Promise<CacherDaemon> {
    const cacher = await startCacher({
      node: node as NodeId,
      server: this.server.address,
      listen: { host: HOST, port: 0 },
      socket,
      pages: this.#wish.pages ?? 64,
      writebackIntervalMs: 30_000,
      security: { keys: [KEY] },
      serverWaitMs: SERVER_WAIT_MS,
      log: this.log(node),
    });
    this.cachers.set(node, cacher);
    return cacher;
  }

  /** An application of a node; it is closed when the cluster is. */
  async at(node: string): Promise<CoopFs> {
    const fs = await connect({ socket: this.socketOf(node) });
    this.#connections.push(fs);
    return fs;
  }

  /** An application without a cacher. */
  async direct(): Promise<CoopFs> {
    const { host, port } = this.server.address;
    const fs = await connect({ server: `${host}:${port}`, key: KEY });
    this.#connections.push(fs);
    return fs;
  }

  async stopCacher(node: string): Promise<void> {
    const cacher = this.cachers.get(node);
    this.cachers.delete(node);
    cacher?.stop();
    expect(await cacher?.stopped, `${node} stops in order`).to.equal(undefined);
  }

  /** Stops every daemon in order; the disk stays. Fails if one had ended by itself. */
  async stopAll(): Promise<void> {
    for (const fs of this.#connections.splice(0)) await fs.close();
    await Promise.all([...this.cachers.keys()].map((node) => this.stopCacher(node)));
    const server = this.#server;
    this.#server = undefined;
    server?.stop();
    expect(await server?.stopped, 'the server stops in order').to.equal(undefined);
  }

  /** Stops everything and removes the folder. */
  async close(): Promise<void> {
    try {
      await this.stopAll();
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

/** Writes to a file from its start, and closes it. */
export const put = async (fs: CoopFs, number: number, contents: string): Promise<number> => {
  await using file = await fs.open(number, 'w');
  return await file.write(contents);
};

/** Reads the first bytes of a file, and closes it. */
export const get = async (fs: CoopFs, number: number, length: number): Promise<string> => {
  await using file = await fs.open(number, 'r');
  return Buffer.from(await file.read(length)).toString();
};

/** Resolves when `holds` does; looks again after every turn of the event loop. Mocha's timeout bounds it. */
export const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
};

/** The code of the FsError that a promise rejects with; fails if it does not. */
export const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'no error';
};
