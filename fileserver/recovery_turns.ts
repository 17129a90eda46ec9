/**
 * Whose recovery is next. A node that is lost may leave thousands of files behind: all at once they would
 * keep every node so busy that its heartbeats are late, and each would be ready when the last one is. So a
 * few run at a time, and those go first for whose file somebody waits.
 */

import type { FileNumber } from '../protocol/ids.ts';
import type { DirectoryEntry } from './directory_entry.ts';
import type { Server } from './server_state.ts';

/** As many at a time while somebody waits for one: he has few before him. */
export const RECOVERIES_AT_ONCE = 64;

/** When nobody waits, so many times as many run: the nodes and the disk's group commit are never idle then. */
const UNAWAITED_FACTOR = 4;

/** True if the recovery of the file may start; else it has its place among those that wait. */
export const mayRecover = (server: Server, { file, queue }: DirectoryEntry): boolean => {
  const { recovering, recoveryDue, recoveriesWaiting, options } = server;
  if (recovering.size < options.recoveriesAtOnce || recoveryDue === file) return true;
  // What stands behind the recovery in the file's queue is somebody's request.
  const { urgent, others } = recoveriesWaiting;
  if (queue.length > 1) {
    others.delete(file);
    urgent.add(file);
  } else if (!urgent.has(file)) {
    others.add(file);
  }
  return false;
};

/** The next that may start beside `stuck` ones that may be unable to go on; its turn begins. */
export const nextRecovery = (server: Server, stuck: number): FileNumber | undefined => {
  const { urgent, others } = server.recoveriesWaiting;
  const { recoveriesAtOnce } = server.options;
  const factor = urgent.size > 0 ? 1 : UNAWAITED_FACTOR;
  const most = Math.max(recoveriesAtOnce * factor, stuck + recoveriesAtOnce);
  if (server.recovering.size >= most || server.recoveryDue !== undefined) return undefined;
  const [next = others.values().next().value] = urgent;
  if (next !== undefined) noLongerWaits(server, next);
  server.recoveryDue = next;
  return next;
};

export const noLongerWaits = ({ recoveriesWaiting }: Server, file: FileNumber): void => {
  recoveriesWaiting.urgent.delete(file);
  recoveriesWaiting.others.delete(file);
};

export const turnIsOver = (server: Server): void => {
  server.recoveryDue = undefined;
};
