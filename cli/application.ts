/** Does I/O: the process of one node's application; it runs one request set for `coopfs run`. */

import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { connect } from '../applib/index.ts';
import { messageOf } from '../protocol/errors.ts';
import type { FromApplication, ToApplication } from './application_messages.ts';
import { UsageError } from './exit_status.ts';
import { filesOf } from './numbered_files.ts';
import { runSet } from './set_runner.ts';

/** The run that started this process, or UsageError if it was started by hand. */
const parent = () => {
  if (process.send === undefined) throw new UsageError('"application" is started by "coopfs run"');
  const tell = (message: FromApplication): void => {
    process.send?.(message);
  };
  const hear = async (): Promise<ToApplication> => {
    const [message] = (await once(process, 'message')) as [ToApplication];
    return message;
  };
  return { tell, hear };
};

const application = async (): Promise<void> => {
  const { tell, hear } = parent();
  // Without the run there is nobody to tell anything; Ctrl-C is the run's to handle.
  process.once('disconnect', () => process.exit());
  process.on('SIGINT', () => undefined);
  const prepared = hear();
  tell({ type: 'alive' });
  try {
    const task = await prepared;
    if (task.type !== 'prepare') throw new Error(`unexpected message ${task.type}`);
    const fs = await connect(task.target);
    const start = hear();
    tell({ type: 'connected' });
    await start;
    const meet = async (barrier: string): Promise<boolean> => {
      const answer = hear();
      tell({ type: 'arrived', barrier });
      const released = await answer;
      return released.type === 'released' && released.met;
    };
    const surroundings = {
      files: filesOf(fs),
      nowNs: () => process.hrtime.bigint(),
      pause: (ms: number) => pause(ms),
      meet,
    };
    // At a socket, the daemon knows best which node this is.
    const node = 'socket' in task.target ? fs.node : task.node;
    await runSet(node, task.commands, surroundings, (record) => {
      tell({ type: 'record', record });
    });
    await fs.close();
    tell({ type: 'finished' });
  } catch (error) {
    tell({ type: 'failed', message: messageOf(error) });
  }
};

export const applicationCommand = (): Command =>
  new Command('application').description('one application process of a run').action(application);
