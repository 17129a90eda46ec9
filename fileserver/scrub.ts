/**
 * The scrub: in the background the server reads file after file from the disk, at a pace that takes it
 * through all of them in `scrubMs`, so that damage is found while a copy may still be there to repair it.
 */

import type { FileNumber } from '../protocol/ids.ts';
import { submit } from './scheduler.ts';
import type { Server } from './server_state.ts';
import { newVerify } from './transaction.ts';

/** However large the disk and short the time: not more than a thousand files a second. */
const PACE_MS_MIN = 1;

/** Looks at the next file if it is due. One that is busy is left for the next pass. */
export const scrub = (server: Server): void => {
  const { scrub: state, options, now } = server;
  const { files } = options.geometry;
  const paceMs = Math.max(PACE_MS_MIN, options.scrubMs / files);
  const isFirst = state.dueMs === Infinity;
  if (!isFirst && now < state.dueMs) return;
  state.dueMs = now + paceMs;
  // The one before is still being read or repaired: a slow disk sets the pace.
  if (isFirst || server.stopping || isRunning(server)) return;
  const file = state.nextFile as FileNumber;
  state.nextFile = (state.nextFile + 1) % files;
  if (state.nextFile === 0) state.passes++;
  const entry = server.entries.get(file);
  const busy = entry !== undefined && (entry.writer !== undefined || entry.queue.length > 0);
  if (!busy && entry?.unavailable !== true) submit(server, newVerify(file));
};

const isRunning = (server: Server): boolean => {
  for (const { kind } of server.running.values()) if (kind === 'verify') return true;
  return false;
};
