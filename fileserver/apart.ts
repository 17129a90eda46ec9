/**
 * Pairs of members that cannot reach each other while both reach the server (rule 15). They are given no part
 * in which one would have to: the server chooses another backup, or supplies the file itself.
 */

import type { NodeId } from '../protocol/ids.ts';
import type { DirectoryEntry } from './directory_entry.ts';
import { log, type Server } from './server_state.ts';
import type { Transaction } from './transaction.ts';

/** How long a pair is left alone before it is tried again. */
export const APART_MS = 15_000;

const keyOf = (a: NodeId, b: NodeId): string => [a, b].sort().join(' ');

export const areApart = (server: Server, a: NodeId, b: NodeId): boolean => {
  if (server.apart.size === 0) return false;
  const untilMs = server.apart.get(keyOf(a, b));
  return untilMs !== undefined && server.now < untilMs;
};

export const noteApart = (server: Server, a: NodeId, b: NodeId): void => {
  if (!areApart(server, a, b)) {
    const seconds = APART_MS / 1000;
    const text = `${a} and ${b} do not reach each other: for ${seconds} s they are given no file together`;
    log(server, 'warn', text);
  }
  server.apart.set(keyOf(a, b), server.now + APART_MS);
};

/** Forgets the pairs that may be tried again. */
export const forgetApart = (server: Server): void => {
  for (const [pair, untilMs] of server.apart) if (server.now >= untilMs) server.apart.delete(pair);
};

/**
 * The head of a dirty file's queue would have its member get the file from one whom it does not reach, or
 * write beside one: the disk has to have the file first.
 */
export const needsDiskFirst = (
  server: Server,
  entry: DirectoryEntry,
  { kind, requester }: Transaction,
): boolean => {
  const { owner, backup } = entry;
  if (kind !== 'getShared' && kind !== 'getModified') return false;
  if (requester.kind !== 'member' || owner === undefined) return false;
  const partner = requester.node === owner ? backup : owner;
  return partner !== undefined && areApart(server, requester.node, partner);
};
