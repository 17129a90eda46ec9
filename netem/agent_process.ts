/** I/O: agents of the engine `tc`, one a network namespace: where each is, starting it, and a way to it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { FsError, messageOf } from '../protocol/errors.ts';
import { AgentLink } from './agent_link.ts';
import { besideModule } from './program_place.ts';

export const AGENT_PROGRAM = besideModule('agent_main', import.meta.url);
export const OWN_NAMESPACE = '/proc/self/ns/net';

/** Root's alone. */
const FOLDER = '/run/coopfs-netem';
/** A machine under load starts a process in seconds. */
const START_LIMIT_MS = 30_000;
const POLL_MS = 20;
const COMPLAINT_LIMIT_MS = 1000;

/** Where the agent of a network namespace listens; the number of the namespace's file names it. */
export const agentPath = (namespace: string): string => `${FOLDER}/${statSync(namespace).ino}.sock`;

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
const complaintOf = (child: ChildProcess): (() => string | undefined) => {
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
 * of `enter` before its own. @throws FsError ECONNLOST with what it said if it does not come up.
 */
export const reachAgent = async (path: string, enter: readonly string[]): Promise<Socket> => {
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
  let child: ChildProcess | undefined;
  let complaint: (() => string | undefined) | undefined;
  try {
    for (const begunMs = performance.now(); performance.now() < begunMs + START_LIMIT_MS;) {
      const told = complaint?.();
      const socket = await socketAt(path).catch(() => undefined);
      if (socket !== undefined) return socket;
      if (told !== undefined) throw new FsError('ECONNLOST', told);
      if (child === undefined) {
        const own = [process.execPath, ...process.execArgv, AGENT_PROGRAM, 'serve', path];
        const [program = '', ...args] = [...enter, ...own];
        child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
        complaint = complaintOf(child);
      }
      await pause(POLL_MS);
    }
    throw new FsError('ETIMEDOUT', `no agent answers at ${path} after ${START_LIMIT_MS / 1000} s`);
  } finally {
    child?.stderr?.destroy();
    child?.unref();
  }
};

/** The agent in a network namespace of this machine, by the namespace's file. */
export const dialNamespace = async (node: string, namespace: string): Promise<AgentLink> => {
  let path: string;
  try {
    path = agentPath(namespace);
  } catch (error) {
    throw new FsError('ENOENT', `${node} has no network namespace: ${messageOf(error)}`);
  }
  return new AgentLink(node, await reachAgent(path, ['nsenter', `--net=${namespace}`, '--']));
};

/** An agent that a command of its own leads to, such as `docker exec`. @throws FsError with what it says. */
export const dialCommand = async (node: string, words: readonly string[]): Promise<AgentLink> => {
  const [program = '', ...args] = words;
  const child = spawn(program, args, { stdio: 'pipe' });
  const complaint = complaintOf(child);
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  stream.once('close', () => child.kill());
  const link = new AgentLink(node, stream);
  try {
    await link.ask<'show'>({ do: 'show' });
    return link;
  } catch (error) {
    link.close();
    // Its end is heard of a moment after the end of its output.
    const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
    if (child.exitCode === null) await Promise.race([ended, pause(COMPLAINT_LIMIT_MS)]);
    throw new FsError('ECONNLOST', complaint() ?? messageOf(error));
  }
};
