/** What a cacher knows of one file, as plain data. */

import { assert } from '../protocol/assert.ts';
import {
  FIRST_VERSION,
  type ClientId,
  type FileNumber,
  type NodeId,
  type Order,
  type Outcome,
  type Source,
  type Version,
} from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { COPY_TABLE, type CopyEvent, type CopyState } from './copy_table.ts';

/** A read or write of an application that waits for its turn; the turns of one file are in order. */
export interface Operation {
  readonly kind: 'read' | 'write';
  /** The application's connection, its number, and its request there. */
  link: string;
  readonly client: ClientId;
  readonly request: number;
  readonly offset: number;
  /** Bytes to read. */
  readonly length: number;
  /** Bytes to write. */
  readonly bytes: Uint8Array;
  /** This operation had to ask for the file. */
  missed: boolean;
  readonly queuedAtMs: number;
  /** It goes through the server: no page could be reserved, or no backup found. */
  through: boolean;
}

/** A request to the file server that has not been answered; the file has at most one. */
export interface Want {
  message: Message<
    'getShared' | 'getModified' | 'writeBack' | 'recirculate' | 'readThrough' | 'writeThrough'
  >;
  /** The operation that cannot go on without the answer. */
  readonly operation: Operation | undefined;
  sentAtMs: number;
}

/** A write that the backup has not acknowledged. */
export interface PendingWrite {
  /** Undefined when the backup is only brought up to date. */
  readonly operation: Operation | undefined;
  readonly version: Version;
  readonly base: Version;
  readonly offset: number;
  readonly length: number;
  sentAtMs: number;
  /** Since when the backup has been silent. */
  silentSinceMs: number;
  /** A backup that the disk does not name yet has it: that counts with the grant. */
  acknowledged: boolean;
}

/** Orders that an owner carries out only between two writes. */
export type DeferredOrder = Message<'forward' | 'freeze' | 'collect' | 'readOnce'>;

export interface CachedFile {
  readonly file: FileNumber;
  copy: CopyState;
  version: Version;
  /** The contents; empty while there are none. */
  bytes: Uint8Array;
  outcomes: readonly Outcome[];
  /** The newest term that is known; nothing is acknowledged under an older one. */
  term: number;
  /** The term of the role that this node has, or was last told of. */
  roleTerm: number;
  /**
   * The last term in whose pair of owner and backup this node was with these contents: every write that
   * was acknowledged under it, or before it, is in them.
   */
  contentsTerm: number;
  /** As reserved backup: the disk has what the first write will build on. */
  onDisk: boolean;
  /** Data of an earlier transaction than this recovery is void. */
  fence: Order | undefined;
  /** The order that made this node owner after a loss, until the backup is up to date. */
  promotion: Order | undefined;
  /** As owner: the node with the second copy, and the version it is known to hold. */
  backup: NodeId | undefined;
  backupVersion: Version | undefined;
  /** As backup: the owner. */
  owner: NodeId | undefined;
  /** Pages held for it: none, or as many as the file has blocks. */
  pages: number;
  want: Want | undefined;
  operations: Operation[];
  write: PendingWrite | undefined;
  orders: DeferredOrder[];
  /** The transaction that hands a last copy over to this node. */
  expected: Order | undefined;
  /** As backup: the transaction that gave this node the role; until its grant it may take it back. */
  prepared: Order | undefined;
  /** The transaction that brought the clean copy: an earlier one's orders are not about it (rule 7). */
  installed: Order | undefined;
  /**
   * The term that this node is to be owner of, and was not granted yet, and the term whose holders have
   * what its first write would build on (0: the disk). As long as it stands, nothing was written under it.
   */
  pledge: { readonly term: number; readonly base: number } | undefined;
  /** The last transaction that wanted pages here and was refused; it is refused again (rule 7). */
  declined: Order | undefined;
  /** Where the contents last came from. */
  source: Source;
  lastUsedMs: number;
  /** A hint: copies in the cluster, this one included. */
  copies: number;
  /** How often this copy was moved as a last copy without being used (N-chance). */
  chances: number;
  /** When the oldest write that is not on the disk was made here. */
  dirtySinceMs: number | undefined;
}

export const newCachedFile = (file: FileNumber): CachedFile => ({
  file,
  copy: 'invalid',
  version: FIRST_VERSION,
  bytes: new Uint8Array(0),
  outcomes: [],
  term: 0,
  roleTerm: 0,
  contentsTerm: 0,
  onDisk: false,
  fence: undefined,
  promotion: undefined,
  backup: undefined,
  backupVersion: undefined,
  owner: undefined,
  pages: 0,
  want: undefined,
  operations: [],
  write: undefined,
  orders: [],
  expected: undefined,
  prepared: undefined,
  installed: undefined,
  pledge: undefined,
  declined: undefined,
  source: 'local',
  lastUsedMs: 0,
  copies: 0,
  chances: 0,
  dirtySinceMs: undefined,
});

/** Moves the copy as the table in docs/coherence.md says; an event that is not in it is a bug. */
export const move = (cached: CachedFile, event: CopyEvent): void => {
  const next = COPY_TABLE[cached.copy][event];
  assert(next !== undefined, `file ${cached.file}: ${event} in copy state ${cached.copy}`);
  cached.copy = next;
  if (next === 'invalid') {
    cached.bytes = new Uint8Array(0);
    cached.outcomes = [];
  }
  if (next === 'invalid' || next === 'shared') {
    cached.owner = undefined;
    cached.backup = undefined;
    cached.backupVersion = undefined;
    cached.expected = undefined;
    cached.prepared = undefined;
    cached.dirtySinceMs = undefined;
  }
};

/** The second copy is here, whether or not it may be read. */
export const isSecondCopy = ({ copy }: CachedFile): boolean =>
  copy === 'backup' || copy === 'standby';

export const isOwner = (cached: CachedFile): boolean =>
  cached.copy === 'modified' || cached.copy === 'owned' || cached.copy === 'writing-back';

/** Nothing is going on with the file, so that it may be given up. */
export const isIdle = (cached: CachedFile): boolean =>
  cached.want === undefined &&
  cached.write === undefined &&
  cached.operations.length === 0 &&
  cached.orders.length === 0;
