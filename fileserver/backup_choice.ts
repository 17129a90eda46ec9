/** Which node keeps the second copy of a file that is about to be written. */

import type { NodeId } from '../protocol/ids.ts';
import { areApart } from './apart.ts';
import type { DirectoryEntry } from './directory_entry.ts';
import type { MemberRecord, Server } from './server_state.ts';

/**
 * A sharer first, since it holds the contents and the pages already; else the member that said it
 * has most free pages. Undefined if every other member is excluded, leaving or out of reach, of the server
 * or of the owner, or came after the transaction had begun: orders from before a registration are void
 * (rule 7).
 */
export const chooseBackup = (
  server: Server,
  entry: DirectoryEntry,
  sequence: number,
  owner: NodeId,
  refused: readonly NodeId[],
): NodeId | undefined => {
  let best: MemberRecord | undefined;
  const better = (a: MemberRecord, b: MemberRecord): boolean => {
    const aShares = entry.sharers.has(a.node);
    if (aShares !== entry.sharers.has(b.node)) return aShares;
    return a.freePages > b.freePages;
  };
  for (const member of server.members.values()) {
    const { leaving, fenced, linkUp, firstSequence, node } = member;
    if (leaving || fenced || !linkUp || firstSequence > sequence) continue;
    if (node === owner || refused.includes(node) || areApart(server, node, owner)) continue;
    if (best === undefined || better(member, best)) best = member;
  }
  if (best !== undefined && !entry.sharers.has(best.node)) {
    // Until its next heartbeat says better; many writes at once should not all choose one node.
    best.freePages = Math.max(0, best.freePages - server.options.geometry.blocksPerFile);
  }
  return best?.node;
};
