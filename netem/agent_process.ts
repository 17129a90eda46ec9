/** I/O: ways to the agents of the engine `tc`, one a network namespace. */

import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { FsError, messageOf } from '../protocol/errors.ts';
import { AgentLink } from './agent_link.ts';
import { agentPath, complaintOf, hasAgent, reachAgent, START_LIMIT_MS } from './agent_socket.ts';

const COMPLAINT_LIMIT_MS = 1000;

/** The agent in a network namespace of this machine, by the namespace's file. */
export const dialNamespace = async (
  node: string,
  namespace: string,
  signal?: AbortSignal,
): Promise<AgentLink> => {
  let path: string;
  try {
    path = agentPath(namespace);
  } catch (error) {
    throw new FsError('ENOENT', `it has no network namespace: ${messageOf(error)}`);
  }
  const enter = ['nsenter', `--net=${namespace}`, '--'];
  return new AgentLink(node, await reachAgent(path, enter, signal));
};

/**
 * Ends all that agents hold in network namespaces that are about to go, in which nobody would find them any more;
 * so they end themselves a moment later. Who does not answer has leases.
 */
export const clearAgents = async (namespaces: readonly string[]): Promise<void> => {
  const cleared = namespaces.filter(hasAgent).map(async (namespace) => {
    const link = await AgentLink.dial(namespace, agentPath(namespace));
    await link.ask<'clear'>({ do: 'clear', what: 'all' }).finally(() => {
      link.close();
    });
  });
  await Promise.allSettled(cleared);
};

/** An agent that a command of its own leads to, such as `docker exec`. @throws FsError with what it says. */
export const dialCommand = async (
  node: string,
  words: readonly string[],
  signal?: AbortSignal,
): Promise<AgentLink> => {
  const [program = '', ...args] = words;
  const child = spawn(program, args, { stdio: 'pipe' });
  const complaint = complaintOf(child);
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  stream.once('close', () => child.kill());
  const link = new AgentLink(node, stream);
  const giveUp = (): void => {
    link.close();
  };
  signal?.addEventListener('abort', giveUp);
  try {
    signal?.throwIfAborted();
    await link.ask<'show'>({ do: 'show' }, START_LIMIT_MS);
    return link;
  } catch (error) {
    link.close();
    // Its end is heard of a moment after the end of its output.
    const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
    if (child.exitCode === null) await Promise.race([ended, pause(COMPLAINT_LIMIT_MS)]);
    const told = complaint() ?? '';
    throw new FsError('ECONNLOST', told === '' ? messageOf(error) : told);
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
};
