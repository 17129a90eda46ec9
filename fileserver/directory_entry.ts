/** What the file server knows of one file: who holds it, and in which state (design, section 3). */

import { assert } from '../protocol/assert.ts';
import type { FileNumber, NodeId, Version } from '../protocol/ids.ts';
import { DIRECTORY_TABLE, type DirectoryEvent, type DirectoryState } from './directory_table.ts';
import type { Transaction } from './transaction.ts';

export interface DirectoryEntry {
  readonly file: FileNumber;
  state: DirectoryState;
  /** The newest term that was announced; it is in force when the disk has it (terms.ts). */
  term: number;
  /** The newest term that somebody was to own, until it is granted: nothing is written under it. And what it builds on. */
  ungranted: { readonly term: number; readonly base: number } | undefined;
  /** The version of the server's own copy; stale while the file is dirty. */
  version: Version;
  /** Only in state dirty: the node that may write, and the one that holds the second copy. */
  owner: NodeId | undefined;
  backup: NodeId | undefined;
  /** Nodes with a clean copy; never the owner or the backup. */
  sharers: Set<NodeId>;
  /** The sequence of the running writing transaction; it runs alone. */
  writer: number | undefined;
  /** The sequences of the running reading transactions. */
  readers: Set<number>;
  /** Transactions that wait, first come first served (rule 13). */
  queue: Transaction[];
  /** Dirty, and none of its holders is here: everything but a recovery waits. */
  unavailable: boolean;
  /** Members that have registered again with dirty contents of it. */
  reporters: Set<NodeId>;
  /** Members with frozen contents of an earlier term, to be dropped with the next recovery. */
  leftovers: Set<NodeId>;
  /** Holders that have registered again and hold nothing of it any more. */
  empty: Set<NodeId>;
  /** It has lost writes, and members have still to note it. */
  lossUntold: boolean;
  /** A party was lost while the disk was at work for the running transaction: it is pre-empted next. */
  preempting: boolean;
  /** The last thing that made a node give the file up, for `where`. */
  eviction: string;
}

export const newEntry = (file: FileNumber, version: Version): DirectoryEntry => ({
  file,
  state: 'uncached',
  term: version.term,
  ungranted: undefined,
  version,
  owner: undefined,
  backup: undefined,
  sharers: new Set(),
  writer: undefined,
  readers: new Set(),
  queue: [],
  unavailable: false,
  reporters: new Set(),
  leftovers: new Set(),
  empty: new Set(),
  lossUntold: false,
  preempting: false,
  eviction: '',
});

/** Moves the entry as the table in docs/coherence.md says; an event that is not in it is a bug. */
export const transition = (entry: DirectoryEntry, event: DirectoryEvent): void => {
  const next = DIRECTORY_TABLE[entry.state][event];
  assert(next !== undefined, `file ${entry.file}: ${event} in directory state ${entry.state}`);
  entry.state = next;
};

/** How many memories hold the file's newest version, as far as the directory knows. */
export const copiesOf = (entry: DirectoryEntry): number =>
  entry.sharers.size + (entry.owner === undefined ? 0 : 1) + (entry.backup === undefined ? 0 : 1);

/** What holds for every entry between transactions. */
export const checkEntry = (entry: DirectoryEntry): void => {
  const { file, state, owner, backup, sharers } = entry;
  const dirty = state === 'dirty';
  assert(dirty === (owner !== undefined), `file ${file}: ${state} with owner ${owner ?? 'none'}`);
  assert(
    dirty === (backup !== undefined),
    `file ${file}: ${state} with backup ${backup ?? 'none'}`,
  );
  assert(!dirty || owner !== backup, `file ${file}: its owner ${owner ?? ''} is its own backup`);
  assert(owner === undefined || !sharers.has(owner), `file ${file}: its owner is a sharer too`);
  assert(backup === undefined || !sharers.has(backup), `file ${file}: its backup is a sharer too`);
  assert(
    dirty || (state === 'shared') === sharers.size > 0,
    `file ${file}: ${state}, ${sharers.size} sharers`,
  );
};
