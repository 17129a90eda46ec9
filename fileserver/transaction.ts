/** A directory transaction: what it waits for, as plain data that can be copied and resent. */

import {
  FIRST_VERSION,
  type ClientId,
  type FileNumber,
  type NodeId,
  type Outcome,
  type Source,
  type Version,
} from '../protocol/ids.ts';
import type { Message, MessageType } from '../protocol/messages.ts';

/** Who is to get the final answer (rule 9). */
export type Requester =
  | { readonly kind: 'member'; readonly node: NodeId }
  | { readonly kind: 'client'; readonly peer: string; readonly client: ClientId }
  /** The server itself: a member leaves, or the server stops. */
  | { readonly kind: 'server' };

/** An answer that is still to come, and the order to repeat should a link break (rule 16). */
export interface Awaited {
  readonly from: NodeId;
  readonly answer: MessageType;
  /** When the order was first sent. */
  readonly sinceMs: number;
  readonly resend: { readonly to: NodeId; readonly message: Message };
}

/** The contents of a file on their way through the server. */
export interface Contents {
  readonly version: Version;
  readonly bytes: Uint8Array;
  readonly outcomes: readonly Outcome[];
  readonly source: Source;
}

interface Common {
  /** The order's sequence; 0 until the transaction starts. */
  sequence: number;
  readonly file: FileNumber;
  /** The server itself, too, once the member that asked is lost: what it asked for is no request of its next life. */
  requester: Requester;
  readonly request: number;
  awaited: Awaited[];
  /** Disk operations that have not come back. */
  diskOperations: number;
  /** What the server itself supplies, once loaded. */
  contents: Contents | undefined;
  /** Set when the disk could not read the file: what to tell the requester. */
  failure: string | undefined;
  /** The disk failed it before: it has been begun again, after an attempt at a repair. */
  retried: boolean;
  /** Its requester is lost while the disk is at work for it: it ends when that has answered. */
  vain: boolean;
  /** When its orders were last sent, for the resend timer. */
  sentAtMs: number;
}

export interface GetShared extends Common {
  readonly kind: 'getShared';
  phase: 'fetch' | 'confirm';
  /** Somebody was told to send the contents: they may be under way, whatever else becomes of the request. */
  forwarded: boolean;
  /** The asker had no use for the contents any more: it must not count as a sharer, whose copy need not be sent. */
  vainly: boolean;
}

export interface GetModified extends Common {
  readonly kind: 'getModified';
  phase: 'refuse' | 'supply' | 'withdraw' | 'quiesce' | 'record' | 'grant' | 'release';
  /** The owner already, writing again after others have read. */
  upgrade: boolean;
  term: number;
  backup: NodeId | undefined;
  backupHolds: boolean;
  /** Backups that answered "full". */
  refused: NodeId[];
  /** Who is told to drop its frozen copy at the end. */
  release: NodeId | undefined;
  /** The requester says that it held the contents when it asked. */
  readonly claimsToHold: boolean;
  /** The requester holds the newest version. */
  requesterHolds: boolean;
  version: Version;
}

export interface WriteBack extends Common {
  readonly kind: 'writeBack';
  phase: 'collect' | 'commit' | 'clean';
}

export interface Recirculate extends Common {
  readonly kind: 'recirculate';
  readonly chances: number;
  phase: 'offer' | 'forward' | 'drop' | 'cancel';
  target: NodeId | undefined;
}

export interface ReadThrough extends Common {
  readonly kind: 'readThrough';
  readonly offset: number;
  readonly length: number;
}

export interface WriteThrough extends Common {
  readonly kind: 'writeThrough';
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly client: ClientId;
  readonly operation: number;
  readonly keep: boolean;
  /** It was asked for under an earlier registration. */
  readonly again: boolean;
  /** Whether it was carried out then has been forgotten: it is not carried out now, and that is told. */
  uncertain: boolean;
  term: number;
  phase: 'load' | 'quiesce' | 'commit' | 'release' | 'confirm';
  release: NodeId[];
  count: number;
}

/** The server looks at a file's blocks on the disk, and makes damaged ones good from a clean copy. */
export interface Verify extends Common {
  readonly kind: 'verify';
  phase: 'read' | 'ask' | 'commit';
  /** The sharers that were asked for their copy. */
  readonly asked: Set<NodeId>;
}

/** What a node said that it holds when a party was lost. */
export interface Report {
  readonly node: NodeId;
  readonly kind: 'clean' | 'dirty' | 'empty' | 'none';
  readonly term: number;
  readonly version: Version;
  /** The term that it was to be owner of and was not granted, 0 if there is none, and its base. */
  readonly ungranted: number;
  readonly base: number;
}

export interface Recover extends Common {
  readonly kind: 'recover';
  phase:
    | 'report'
    | 'prepare'
    | 'promote'
    | 'mark'
    | 'grant'
    | 'load'
    | 'restore'
    | 'unmark'
    | 'release'
    | 'tell';
  /** The holders have nothing: the disk's contents stand again. */
  loses: boolean;
  /** Everybody who may hold something. */
  asked: readonly NodeId[];
  reports: Report[];
  term: number;
  /** Who holds the newest contents. */
  source: NodeId | undefined;
  version: Version;
  backup: NodeId | undefined;
  refused: NodeId[];
}

export type Transaction =
  GetShared | GetModified | WriteBack | Recirculate | ReadThrough | WriteThrough | Verify | Recover;

/** Reading transactions of one file run together; a writing one runs alone (rule 13). */
export const isWriting = (transaction: Transaction): boolean =>
  transaction.kind === 'getModified' ||
  transaction.kind === 'writeBack' ||
  transaction.kind === 'writeThrough' ||
  transaction.kind === 'verify' ||
  transaction.kind === 'recover';

export const sameRequester = (a: Requester, b: Requester): boolean =>
  (a.kind === 'member' && b.kind === 'member' && a.node === b.node) ||
  (a.kind === 'client' && b.kind === 'client' && a.peer === b.peer) ||
  (a.kind === 'server' && b.kind === 'server');

/** The member `node` asked for it. */
export const isRequester = (
  { requester }: { readonly requester: Requester },
  node: NodeId,
): boolean => requester.kind === 'member' && requester.node === node;

/** The fields that every new transaction starts with. */
export const newTransaction = (
  file: FileNumber,
  requester: Requester,
  request: number,
): Common => ({
  sequence: 0,
  file,
  requester,
  request,
  awaited: [],
  diskOperations: 0,
  contents: undefined,
  failure: undefined,
  retried: false,
  vain: false,
  sentAtMs: 0,
});

/** The same request, from its beginning. */
export const restarted = (transaction: Transaction): Transaction => {
  const { file, requester, request } = transaction;
  const base = { ...newTransaction(file, requester, request), retried: transaction.retried };
  switch (transaction.kind) {
    case 'getShared':
      return { ...transaction, ...base, phase: 'fetch', forwarded: false, vainly: false };
    case 'getModified':
      return { ...transaction, ...base, phase: 'quiesce', refused: [], release: undefined };
    case 'writeBack':
      return { ...transaction, ...base, phase: 'collect' };
    case 'recirculate':
      return { ...transaction, ...base, phase: 'offer', target: undefined };
    case 'readThrough':
      return { ...transaction, ...base };
    case 'writeThrough':
      return { ...transaction, ...base, phase: 'quiesce', release: [] };
    case 'verify':
      return newVerify(file);
    case 'recover':
      return newRecover(file, transaction.asked);
  }
};

export const newWriteBack = (
  file: FileNumber,
  requester: Requester,
  request: number,
): WriteBack => ({
  ...newTransaction(file, requester, request),
  kind: 'writeBack',
  phase: 'collect',
});

export const newVerify = (file: FileNumber): Verify => ({
  ...newTransaction(file, { kind: 'server' }, 0),
  kind: 'verify',
  phase: 'read',
  asked: new Set(),
});

export const newRecover = (file: FileNumber, asked: readonly NodeId[]): Recover => ({
  ...newTransaction(file, { kind: 'server' }, 0),
  kind: 'recover',
  phase: 'report',
  loses: false,
  asked,
  reports: [],
  term: 0,
  source: undefined,
  version: FIRST_VERSION,
  backup: undefined,
  refused: [],
});
