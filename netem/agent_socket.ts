/** I/O: where the agent of the engine `tc` of a network namespace listens, and starting it if it does not. */

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FsError } from '../protocol/errors.ts';
import { besideModule } from './program_place.ts';

const AGENT_PROGRAM = besideModule('agent_main', import.meta.url);
export const OWN_NAMESPACE = '/proc/self/ns/net';

/** Root's alone. */
export const AGENT_FOLDER = '/run/coopfs-netem';
/** A machine under load starts a process in seconds. */
export const START_LIMIT_MS = 30_000;
const POLL_MS = 20;

/** Where the agent of a network namespace listens; the number of the namespace's file names it. */
export const agentPath = (namespace: string): string =>
  `${AGENT_FOLDER}/${statSync(namespace).ino}.sock`;

/** Whether an agent has a socket for a network namespace: one that runs, or has left it and its rules. */
export const hasAgent = (namespace: string): boolean =>
  existsSync(namespace) && existsSync(agentPath(namespace));

/** Connects to an agent that runs. */
export const socketAt = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });

/** What a process says before it ends with a failure; undefined as long as it has not. */
export const complaintOf = (child: ChildProcess): (() => string | undefined) => {
  let said = '';
  let failed = false;
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  child.once('error', (error) => {
    said += error.message;
    failed = true;
  });
  child.once('exit', (status) => {
    failed = status !== 0;
  });
  return () => (failed ? said.trim() : undefined);
};

/**
 * Connects to the agent at `path`; if there is none, starts one that outlives this process, by the words
 * of `enter` before its own. @throws FsError EINVAL with what it said if it ends at its start, ETIMEDOUT, ECONNLOST
 * when `signal` aborts.
 */
export const reachAgent = async (
  path: string,
  enter: readonly string[],
  signal?: AbortSignal,
): Promise<Socket> => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let child: ChildProcess | undefined;
  let complaint: (() => string | undefined) | undefined;
  try {
    for (const begunMs = performance.now(); performance.now() < begunMs + START_LIMIT_MS;) {
      const told = complaint?.();
      const socket = await socketAt(path).catch(() => undefined);
      if (socket !== undefined) return socket;
      if (told !== undefined) throw new FsError('EINVAL', told);
      if (signal?.aborted === true) throw new FsError('ECONNLOST', 'it is not waited for');
      if (child === undefined) {
        const own = [process.execPath, ...process.execArgv, AGENT_PROGRAM, 'serve', path];
        const [program = '', ...args] = [...enter, ...own];
        child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
        complaint = complaintOf(child);
      }
      await pause(POLL_MS, undefined, { ...(signal && { signal }) }).catch(() => undefined);
    }
    throw new FsError('ETIMEDOUT', `no agent answers at ${path} after ${START_LIMIT_MS / 1000} s`);
  } finally {
    child?.stderr?.destroy();
    child?.unref();
  }
};
