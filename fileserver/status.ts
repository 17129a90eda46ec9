/** What the server can tell of one file and of itself. */

import { SERVER, type FileNumber, type NodeId } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { isDegraded } from './degraded.ts';
import { presentMembers } from './membership.ts';
import { entryOf, isFormer, type Server } from './server_state.ts';
import { termInForce } from './terms.ts';

export const whereIs = (
  server: Server,
  request: number,
  file: FileNumber,
): Message<'whereDone'> => {
  const entry = entryOf(server, file);
  const { state, version, owner, backup, sharers, eviction } = entry;
  const term = termInForce(server, entry);
  const holders = {
    owner: nameOf(server, owner),
    backup: nameOf(server, backup),
    sharers: [...sharers].filter((node) => !isFormer(server, node)),
  };
  const { epoch } = server.options;
  return { type: 'whereDone', request, file, state, version, term, ...holders, epoch, eviction };
};

/** The name of a node, in whichever of its lives. */
const nameOf = (server: Server, node: NodeId | undefined): NodeId | undefined =>
  isFormer(server, node) ? (node?.split('#', 1)[0] as NodeId) : node;

export const statusOf = (server: Server, request: number): Message<'statusDone'> => {
  let dirty = 0;
  let unavailable = 0;
  for (const entry of server.entries.values()) {
    if (entry.state === 'dirty') dirty++;
    if (entry.unavailable) unavailable++;
  }
  const members = presentMembers(server).map(
    ({ node, incarnation, address, pages, freePages, linkUp, leaving }) => ({
      node,
      incarnation,
      address,
      pages,
      freePages,
      linkUp,
      leaving,
    }),
  );
  const { epoch, openPolicy, geometry } = server.options;
  const json = JSON.stringify({
    node: SERVER,
    epoch,
    openPolicy,
    geometry,
    stopping: server.stopping,
    dirtyFiles: dirty,
    unprotectedFiles: server.reprotection?.files.size ?? 0,
    unavailableFiles: unavailable,
    lastReprotectionMs: server.lastReprotectionMs,
    lostFiles: [...server.losses].map(([file, loss]) => ({ file, ...loss })),
    degraded: isDegraded(server),
    degradedPolicy: server.options.degradedPolicy,
    damagedFiles: [...server.damaged.keys()],
    scrub: { nextFile: server.scrub.nextFile, passes: server.scrub.passes },
    filesInMemory: server.memory.size,
    runningTransactions: server.running.size,
    directClients: server.clients.size,
    members,
    counters: server.counters,
  });
  return { type: 'statusDone', request, json };
};
