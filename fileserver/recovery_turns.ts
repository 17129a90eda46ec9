/**
 * Whose recovery is next. A node that is lost may leave thousands of files behind: all at once they would
 * keep every node so busy that its heartbeats are late, and each would be ready when the last one is. So a
 * few run at a time, and those go first for whose file somebody waits.
 */

import type { FileNumber } from '../protocol/ids.ts';
import { entryOf, type Server } from './server_state.ts';

/** Enough to keep the nodes and the disk's group commit busy. */
export const RECOVERIES_AT_ONCE = 64;

/** True if the recovery of the file may start; else it has its place among those that wait. */
export const mayRecover = (server: Server, file: FileNumber): boolean => {
  if (server.recovering.size < server.options.recoveriesAtOnce || server.recoveryDue === file) {
    return true;
  }
  server.recoveriesWaiting.add(file);
  return false;
};

const isWaitedFor = (server: Server, file: FileNumber): boolean =>
  entryOf(server, file).queue.length > 1;

/** The next that may start, if fewer than `most` run; its turn begins. */
export const nextRecovery = (server: Server, most: number): FileNumber | undefined => {
  if (server.recovering.size >= most || server.recoveryDue !== undefined) return undefined;
  let next: FileNumber | undefined;
  for (const file of server.recoveriesWaiting) {
    next ??= file;
    if (!isWaitedFor(server, file)) continue;
    next = file;
    break;
  }
  if (next !== undefined) server.recoveriesWaiting.delete(next);
  server.recoveryDue = next;
  return next;
};

export const turnIsOver = (server: Server): void => {
  server.recoveryDue = undefined;
};
