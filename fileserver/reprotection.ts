/** How long dirty files are on one node only, after a loss. */

import type { DirectoryEntry } from './directory_entry.ts';
import { log, type MemberRecord, type Server } from './server_state.ts';

/** Notes the dirty files that have one copy now, and since when: the member was last heard then. */
export const beginReprotection = (server: Server, { node, heartbeatMs }: MemberRecord): void => {
  const running = server.reprotection;
  const files = running?.files ?? new Set();
  for (const { file, owner, backup } of server.entries.values()) {
    if (owner === node || backup === node) files.add(file);
  }
  if (files.size === 0) return;
  server.reprotection = running ?? { sinceMs: heartbeatMs, files };
  log(server, 'info', `dirty files that are on one node only: ${files.size}`);
};

/** The disk has it, or two nodes that are here do. A file may come to that without a recovery: it is written back. */
const isSafe = (server: Server, { state, unavailable, owner, backup }: DirectoryEntry): boolean =>
  state !== 'dirty' ||
  (!unavailable &&
    [owner, backup].every(
      (node) => node !== undefined && server.members.get(node)?.former === false,
    ));

/** To be called when a transaction of the file is over; the last file that is safe again is logged. */
export const noteSafe = (server: Server, entry: DirectoryEntry): void => {
  const { reprotection } = server;
  if (reprotection === undefined || !isSafe(server, entry)) return;
  if (!reprotection.files.delete(entry.file) || reprotection.files.size > 0) return;
  server.reprotection = undefined;
  server.lastReprotectionMs = server.now - reprotection.sinceMs;
  const took = server.lastReprotectionMs.toFixed(0);
  log(
    server,
    'info',
    `every dirty file is on two nodes or on the disk again, ${took} ms after the loss`,
  );
};
