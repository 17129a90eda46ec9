/** Does I/O: the process of one node's application; it runs one request set for `coopfs run`. */

import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { connect } from '../applib/index.ts';
import { messageOf } from '../protocol/errors.ts';
import {
  messageFromLine,
  messageToLine,
  type FromApplication,
  type Target,
  type ToApplication,
} from './application_messages.ts';
import { keySourceOf, requireKeySource } from './cluster_key.ts';
import { UsageError } from './exit_status.ts';
import { formatHostPort } from './option_values.ts';
import { filesOf } from './numbered_files.ts';
import { declareOptions, resolveOptions } from './options.ts';
import { runSet } from './set_runner.ts';

const NAMES = ['socket', 'direct', 'keyFile', 'insecure'] as const;

/** The run that started this process, at the other end of standard input and output. */
const parent = () => {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const tell = (message: FromApplication): void => {
    process.stdout.write(messageToLine(message));
  };
  const hear = async (): Promise<ToApplication> => {
    const line = await lines.next();
    // Without the run there is nobody to tell anything.
    if (line.done === true) process.exit();
    return messageFromLine(line.value) as ToApplication;
  };
  return { tell, hear };
};

const targetOf = (command: Command, target: Target) => {
  if (!('fromEnvironment' in target)) return target;
  const options = resolveOptions(command, NAMES);
  const { socket, direct } = options;
  if (socket !== undefined) return { socket };
  if (direct === undefined) {
    throw new UsageError('nothing is said of a node here: expected COOPFS_SOCKET or COOPFS_DIRECT');
  }
  const key = requireKeySource(keySourceOf(command, options));
  return { server: formatHostPort(direct), ...key };
};

const application = async (command: Command): Promise<void> => {
  const { tell, hear } = parent();
  // Ctrl-C is the run's to handle.
  process.on('SIGINT', () => undefined);
  const prepared = hear();
  tell({ type: 'alive' });
  try {
    const task = await prepared;
    if (task.type !== 'prepare') throw new Error(`unexpected message ${task.type}`);
    const target = targetOf(command, task.target);
    const fs = await connect(target);
    const start = hear();
    tell({ type: 'connected' });
    await start;
    // Always one that waits: it notices at once that the run is gone.
    let answer = hear();
    const meet = async (barrier: string): Promise<boolean> => {
      tell({ type: 'arrived', barrier });
      const released = await answer;
      answer = hear();
      return released.type === 'released' && released.met;
    };
    const surroundings = {
      files: filesOf(fs),
      nowNs: () => process.hrtime.bigint(),
      pause: (ms: number) => pause(ms),
      meet,
    };
    // At a socket, the daemon knows best which node this is.
    const node = 'socket' in target ? fs.node : task.node;
    await runSet(node, task.commands, surroundings, (record) => {
      tell({ type: 'record', record });
    });
    await fs.close();
    tell({ type: 'finished' });
  } catch (error) {
    tell({ type: 'failed', message: messageOf(error) });
  }
  // The run ends standard input when it has heard that.
};

export const applicationCommand = (): Command => {
  const command = declareOptions(new Command('application'), NAMES);
  return command.description('one application process of a run').action(() => application(command));
};
