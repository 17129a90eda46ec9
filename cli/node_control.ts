/** Does I/O: what a scenario does to the nodes of a local cluster: kill, start again, pause, continue. */

import { spawn, type ChildProcess } from 'node:child_process';
import { FsError } from '../protocol/errors.ts';
import { SERVER } from '../protocol/ids.ts';
import { clusterPaths, requireClusterConfig } from './cluster_config.ts';
import { cacherCommand, serverCommand } from './cluster_daemons.ts';
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
 * Stops a process, and continues it when this process closes the input of the guard, or ends, however
 * it ends: a killed command leaves nothing paused.
 */
const pauseUntilClosed = async ({ pid }: ProcessIdentity): Promise<ChildProcess> => {
  const script = `kill -STOP ${pid} && echo paused; cat; kill -CONT ${pid}`;
  const guard = spawn('sh', ['-c', script], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  await new Promise((resolve, reject) => {
    guard.stdout.once('data', resolve);
    guard.once('error', reject).once('exit', resolve);
  });
  return guard;
};

const release = async (guard: ChildProcess): Promise<void> => {
  const over = new Promise((resolve) => guard.once('exit', resolve));
  guard.stdin?.end();
  await over;
};

class LocalControl implements NodeControl {
  readonly #dir: string;
  readonly #guards = new Map<string, ChildProcess>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  async kill(node: string): Promise<void> {
    await killDaemon(this.#processOf(node));
    await this.#release(node);
  }

  async restart(node: string): Promise<void> {
    await startDaemon(this.#commandOf(node));
  }

  async pause(node: string): Promise<void> {
    this.#guards.set(node, await pauseUntilClosed(this.#processOf(node)));
  }

  continue(node: string): Promise<void> {
    return this.#release(node);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#guards.keys()].map((node) => this.#release(node)));
  }

  async #release(node: string): Promise<void> {
    const guard = this.#guards.get(node);
    this.#guards.delete(node);
    if (guard !== undefined) await release(guard);
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
