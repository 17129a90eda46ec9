/** Does I/O: a cluster of processes as users start it, in a temporary folder; each can be killed, paused, started. */

import { execFile } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect, type CoopFs, type FileLocation } from '../applib/index.ts';
import {
  clusterPaths,
  requireClusterConfig,
  serverAddress,
  type ClusterPaths,
} from './cluster_config.ts';
import { cacherCommand, serverCommand } from './cluster_daemons.ts';
import { guardCluster } from './cluster_guard.ts';
import { ownerOf, removeNetwork } from './cluster_network.ts';
import { PROGRAM, startDaemon } from './daemon_process.ts';
import { isRunning, readProcessFile, type ProcessIdentity } from './process_file.ts';
import { SERVER, type NodeId } from '../protocol/ids.ts';

/** Compiled, as users run it; from source `npm run build` comes first. */
const MAIN =
  extname(PROGRAM) === '.ts'
    ? fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
    : PROGRAM;
const WAIT_LIMIT_MS = 30_000;
/** A question costs the server and this process half a millisecond each, which a failover on two cores feels. */
const POLL_MS = 20;
/** A server that was killed does not answer: it is asked again over a new link then. */
const ANSWER_LIMIT_MS = 1000;

/** A file that has lost writes, how often; the term that went with the last, and who held it. */
export interface LostFile {
  readonly file: number;
  readonly times: number;
  readonly term?: number;
  readonly holders: readonly string[];
}

/** What of the server's account of itself these programs look at. */
export interface ServerStatus {
  readonly epoch: number;
  readonly dirtyFiles: number;
  readonly unprotectedFiles: number;
  readonly unavailableFiles: number;
  readonly lastReprotectionMs?: number;
  readonly degraded: boolean;
  readonly lostFiles: readonly LostFile[];
  readonly members: readonly { readonly node: string; readonly linkUp: boolean }[];
  readonly counters: { readonly membersLost: number };
}

/** Every dirty file is on two nodes, as far as the server knows. */
export const isProtected = ({ unprotectedFiles, unavailableFiles }: ServerStatus): boolean =>
  unprotectedFiles + unavailableFiles === 0;

/** All of these nodes are members, and every dirty file is on two of them. */
export const isWhole = (status: ServerStatus, nodes: readonly string[]): boolean => {
  const here = status.members.filter(({ linkUp }) => linkUp).map(({ node }) => node);
  return isProtected(status) && nodes.every((node) => here.includes(node));
};

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Rejects when the answer does not come in time. */
const inTime = async <T>(answer: Promise<T>, limitMs: number): Promise<T> => {
  const over = new AbortController();
  const late = pause(limitMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`no answer in ${limitMs} ms`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    over.abort();
  }
};

export class ProcessCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), 'coopfs-processes-'));
  readonly paths: ClusterPaths = clusterPaths(join(this.#folder, 'c'));
  readonly #guard = guardCluster({
    folder: this.#folder,
    lock: this.paths.lock,
    stop: [process.execPath, MAIN, 'cluster', 'down', '--dir', this.paths.root],
  });
  readonly #connections: CoopFs[] = [];
  #asking: CoopFs | undefined;
  #starting: Promise<unknown> = Promise.resolve();
  #closing = false;
  #closed = false;

  private constructor() {
    // Made by up().
  }

  /** Formats a disk and starts a cluster; `flags` are those of `coopfs cluster up`. */
  static async up(...flags: readonly string[]): Promise<ProcessCluster> {
    const cluster = new ProcessCluster();
    try {
      const args = ['cluster', 'up', '--dir', cluster.paths.root, ...flags];
      const { status, err } = await cluster.coopfs(...args);
      if (status !== 0) throw new Error(`coopfs cluster up: ${err}`);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** Starts the daemons that do not run; resolves when they serve. */
  async restart(): Promise<void> {
    const config = requireClusterConfig(this.paths);
    const nodes = config.nodes.map((node) => cacherCommand(this.paths, config, node));
    const missing = [serverCommand(this.paths, config), ...nodes].filter(
      ({ pidFile }) => readProcessFile(pidFile) === undefined,
    );
    if (this.#closing) throw new Error('the cluster is being closed');
    const starts = missing.map((command) => startDaemon(command, [MAIN]));
    this.#starting = Promise.allSettled(starts);
    await Promise.all(starts);
  }

  /** Runs a command to its end. */
  async coopfs(...args: readonly string[]): Promise<Ran> {
    return new Promise((resolve) => {
      execFile(process.execPath, [MAIN, ...args], (error, out, err) => {
        resolve({ status: error === null ? 0 : Number(error.code ?? -1), out, err });
      });
    });
  }

  get nodes(): readonly NodeId[] {
    return requireClusterConfig(this.paths).nodes.map(({ name }) => name);
  }

  /** Sends a signal to a daemon that runs. */
  signal(name: NodeId, signal: NodeJS.Signals): ProcessIdentity {
    const identity = readProcessFile(this.paths.pid(name));
    if (identity === undefined) throw new Error(`${name} does not run`);
    process.kill(identity.pid, signal);
    return identity;
  }

  /** Kills a daemon with SIGKILL; resolves when its process is gone. */
  async kill(name: NodeId): Promise<void> {
    const identity = this.signal(name, 'SIGKILL');
    await this.until(`the process of ${name} is gone`, () =>
      Promise.resolve(isRunning(identity) ? undefined : true),
    );
  }

  /** A new application of a node; of the file server, without a cacher, for "server". */
  async at(node: NodeId): Promise<CoopFs> {
    const fs = await connect(this.#target(node));
    this.#connections.push(fs);
    return fs;
  }

  /** What the server says of itself; waits for a server that is just being started. */
  async status(): Promise<ServerStatus> {
    return this.#askServer(async (fs) => (await fs.status()) as ServerStatus);
  }

  /** Who holds each of the files, as the server knows. */
  async where(files: Iterable<number>): Promise<FileLocation[]> {
    return this.#askServer((fs) => Promise.all([...files].map((file) => fs.where(file))));
  }

  async #askServer<T>(question: (fs: CoopFs) => Promise<T>): Promise<T> {
    return this.until('the file server answers', async () => {
      try {
        this.#asking ??= await connect({ ...this.#target(SERVER), connectTimeoutMs: 1000 });
        return await inTime(question(this.#asking), ANSWER_LIMIT_MS);
      } catch {
        const gone = this.#asking;
        this.#asking = undefined;
        await gone?.close();
        return undefined;
      }
    });
  }

  /** The first status of which `holds` is true. */
  async statusWhen(what: string, holds: (status: ServerStatus) => boolean): Promise<ServerStatus> {
    return this.until(what, async () => {
      const status = await this.status();
      return holds(status) ? status : undefined;
    });
  }

  /** Waits until all nodes are members and every dirty file is on two of them. */
  async settled(): Promise<ServerStatus> {
    const { nodes } = this;
    return this.statusWhen('every node is a member, every dirty file on two', (status) =>
      isWhole(status, nodes),
    );
  }

  /** What `attempt` answers at last; it is asked again while that is undefined, in bounded time. */
  async until<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
    const endMs = performance.now() + WAIT_LIMIT_MS;
    while (performance.now() < endMs) {
      if (this.#closed) throw new Error(`the cluster was closed while it was waited for: ${what}`);
      const found = await attempt();
      if (found !== undefined) return found;
      await pause(POLL_MS);
    }
    throw new Error(`it did not come to this in ${WAIT_LIMIT_MS} ms: ${what}`);
  }

  /** Copies logs and disk of a cluster to where they stay, to be looked into. */
  keep(folder: string): void {
    cpSync(this.paths.root, folder, {
      recursive: true,
      filter: (path) => !lstatSync(path).isSocket(),
    });
  }

  /** Kills whatever runs, and removes everything. */
  async close(): Promise<void> {
    this.#closing = true;
    const open = [...this.#connections, ...(this.#asking === undefined ? [] : [this.#asking])];
    await Promise.allSettled(open.map((fs) => fs.close()));
    await this.#starting;
    if (existsSync(this.paths.config)) {
      const running = [...this.nodes, SERVER].filter(
        (name) => readProcessFile(this.paths.pid(name)) !== undefined,
      );
      await Promise.all(running.map((name) => this.kill(name)));
      const { network } = requireClusterConfig(this.paths);
      if (network !== undefined) await removeNetwork(network, ownerOf(this.paths.root));
    }
    this.#closed = true;
    rmSync(this.#folder, { recursive: true, force: true });
    this.#guard.kill('SIGKILL');
    this.#guard.stdin?.destroy();
  }

  #target(node: NodeId): Parameters<typeof connect>[0] & object {
    if (node !== SERVER) return { socket: this.paths.socket(node) };
    return { server: serverAddress(requireClusterConfig(this.paths)), keyFile: this.paths.key };
  }
}
