/** Does I/O: what a scenario does to the nodes of a cluster: kill, start again, pause, continue. */

import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { FsError } from '../protocol/errors.ts';
import { SERVER } from '../protocol/ids.ts';
import { clusterPaths, requireClusterConfig } from './cluster_config.ts';
import { cacherCommand, serverCommand } from './cluster_daemons.ts';
import { docker } from './compose.ts';
import { killDaemon, startDaemon, type DaemonCommand } from './daemon_process.ts';
import { readProcessFile, type ProcessIdentity } from './process_file.ts';

export interface NodeControl {
  /** With SIGKILL; resolves when it is gone. */
  kill(node: string): Promise<void>;
  /** Starts it as it was started before; resolves when it serves. */
  restart(node: string): Promise<void>;
  pause(node: string): Promise<void>;
  continue(node: string): Promise<void>;
  /** Continues all that was paused. */
  close(): Promise<void>;
}

/**
 * Stops a process or a container by one command, and continues it by another one when this process closes
 * the input of the guard, or ends, however it ends: a killed command leaves nothing paused.
 * @throws FsError ECONNLOST if it cannot be stopped.
 */
const pauseUntilClosed = async (
  node: string,
  stop: string,
  goOn: string,
): Promise<ChildProcess> => {
  const script = `${stop} >&2 || exit 1; echo paused; cat; ${goOn}`;
  const guard = spawn('sh', ['-c', script], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  await new Promise((resolve, reject) => {
    guard.stdout.once('data', resolve);
    guard.once('error', reject).once('exit', () => {
      reject(new FsError('ECONNLOST', `${node} cannot be paused: "${stop}" failed`));
    });
  });
  return guard;
};

const release = async (guard: ChildProcess): Promise<void> => {
  const over = new Promise((resolve) => guard.once('exit', resolve));
  guard.stdin?.end();
  await over;
};

/** Guards of what is paused. */
class Pauses {
  readonly #guards = new Map<string, ChildProcess>();

  async pause(node: string, stop: string, goOn: string): Promise<void> {
    this.#guards.set(node, await pauseUntilClosed(node, stop, goOn));
  }

  async release(node: string): Promise<void> {
    const guard = this.#guards.get(node);
    this.#guards.delete(node);
    if (guard !== undefined) await release(guard);
  }

  async releaseAll(): Promise<void> {
    await Promise.all([...this.#guards.keys()].map((node) => this.release(node)));
  }
}

class LocalControl implements NodeControl {
  readonly #dir: string;
  readonly #pauses = new Pauses();

  constructor(dir: string) {
    this.#dir = dir;
  }

  async kill(node: string): Promise<void> {
    await killDaemon(this.#processOf(node));
    await this.#pauses.release(node);
  }

  async restart(node: string): Promise<void> {
    await startDaemon(this.#commandOf(node));
  }

  async pause(node: string): Promise<void> {
    const { pid } = this.#processOf(node);
    await this.#pauses.pause(node, `kill -STOP ${pid}`, `kill -CONT ${pid}`);
  }

  continue(node: string): Promise<void> {
    return this.#pauses.release(node);
  }

  close(): Promise<void> {
    return this.#pauses.releaseAll();
  }

  /** @throws FsError ECONNLOST if it does not run. */
  #processOf(node: string): ProcessIdentity {
    const identity = readProcessFile(clusterPaths(this.#dir).pid(node));
    if (identity !== undefined) return identity;
    throw new FsError('ECONNLOST', `${node} does not run`);
  }

  #commandOf(name: string): DaemonCommand {
    const paths = clusterPaths(this.#dir);
    const config = requireClusterConfig(paths);
    const node = config.nodes.find((each) => each.name === name);
    if (node !== undefined) return cacherCommand(paths, config, node);
    if (name === SERVER) return serverCommand(paths, config);
    throw new FsError('EINVAL', `there is no node ${JSON.stringify(name)}`);
  }
}

/** The daemons of a local cluster are processes of this machine. */
export const localControl = (dir: string): NodeControl => new LocalControl(dir);

/** How long a node may take from its start until it serves; a server that recovers waits for its nodes. */
const SERVE_LIMIT_MS = 60_000;
const SERVE_POLL_MS = 100;

class ContainerControl implements NodeControl {
  readonly #containers: ReadonlyMap<string, string>;
  readonly #pauses = new Pauses();

  constructor(containers: ReadonlyMap<string, string>) {
    this.#containers = containers;
  }

  async kill(node: string): Promise<void> {
    await docker('kill', this.#idOf(node));
    await this.#pauses.release(node);
  }

  async restart(node: string): Promise<void> {
    const id = this.#idOf(node);
    await docker('start', id);
    const endMs = performance.now() + SERVE_LIMIT_MS;
    for (;;) {
      try {
        await docker('exec', id, 'coopfs', 'status');
        return;
      } catch (error) {
        if (performance.now() > endMs) throw error;
        await pause(SERVE_POLL_MS);
      }
    }
  }

  async pause(node: string): Promise<void> {
    const id = this.#idOf(node);
    await this.#pauses.pause(node, `docker pause ${id}`, `docker unpause ${id} 2>/dev/null`);
  }

  continue(node: string): Promise<void> {
    return this.#pauses.release(node);
  }

  close(): Promise<void> {
    return this.#pauses.releaseAll();
  }

  #idOf(node: string): string {
    const id = this.#containers.get(node);
    if (id !== undefined) return id;
    throw new FsError('EINVAL', `there is no node ${JSON.stringify(node)}`);
  }
}

/** Nodes in containers, by the ids of these. */
export const containerControl = (containers: ReadonlyMap<string, string>): NodeControl =>
  new ContainerControl(containers);
