/**
 * With fewer than two nodes there is no second memory: every write goes to the disk, or is refused, as
 * the operator chose (rule 5). Said in the log, in `status` and in the answers of writes.
 */

import { FsError } from '../protocol/errors.ts';
import { log, type Server } from './server_state.ts';

/** What becomes of a cacher's writes while there is no second memory. */
export type DegradedPolicy = 'write-through' | 'refuse';

/** True while no write can be kept in two memories. */
export const isDegraded = (server: Server): boolean => {
  let staying = 0;
  for (const { leaving, former } of server.members.values()) if (!leaving && !former) staying++;
  return staying < 2;
};

/** Logs when the cluster has become degraded, and when it is no more. */
export const noteDegraded = (server: Server): void => {
  const degraded = isDegraded(server);
  if (degraded === server.degraded) return;
  server.degraded = degraded;
  const { degradedPolicy } = server.options;
  const writes =
    degradedPolicy === 'refuse' ? 'writes are refused' : 'every write goes to the disk';
  if (degraded) log(server, 'warn', `degraded: there is no second memory, ${writes}`);
  else log(server, 'info', 'there are two memories: writes are kept in both');
};

/** Why a cacher's write must not be made now; undefined if it may. */
export const refusalOf = (server: Server): FsError | undefined => {
  if (server.options.degradedPolicy !== 'refuse' || !isDegraded(server)) return undefined;
  const what = 'there is no second node to keep the write, and --degraded=refuse';
  return new FsError('EROFS', `${what}: add a node, or write again when one has joined`);
};
