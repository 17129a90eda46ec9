/** What the disk tells the file server, and what it is told. */

import type { FileNumber, Geometry, NodeId, Outcome, Version } from '../../protocol/ids.ts';

/** {term, owner, backup} of a dirty file (rule 2). */
export interface DirtyMark {
  readonly term: number;
  readonly owner: NodeId;
  readonly backup: NodeId;
}

export interface FileMeta {
  readonly version: Version;
  readonly mark: DirtyMark | undefined;
  readonly outcomes: readonly Outcome[];
  /** How often writes of the file were lost with all nodes that held them. */
  readonly losses: number;
}

export type CommitRecord =
  | { readonly kind: 'mark'; readonly file: FileNumber; readonly mark: DirtyMark }
  /** A write-back or a direct write: the whole file; it clears the mark. */
  | {
      readonly kind: 'contents';
      readonly file: FileNumber;
      readonly version: Version;
      readonly bytes: Uint8Array;
      readonly outcomes: readonly Outcome[];
      /** Writes after the version before are lost: it is counted. */
      readonly afterLoss?: true;
    }
  /** The mark is cleared, and the contents stay as they are, which cannot be read: their blocks are damaged. */
  | {
      readonly kind: 'unmark';
      readonly file: FileNumber;
      readonly version: Version;
      readonly afterLoss?: true;
    }
  | { readonly kind: 'epoch'; readonly clusterEpoch: number; readonly longestLeaseMs: number };

export type DiskEvent =
  | {
      type: 'opened';
      geometry: Geometry;
      /** 32 hexadecimal digits. */
      volumeId: string;
      clusterEpoch: number;
      longestLeaseMs: number;
      /** Journal records that were replayed: 0 after a clean close. */
      replayed: number;
    }
  /** The image cannot be served; `reason` says what is wrong and where. */
  | { type: 'refused'; reason: string }
  /** The bytes are the receiver's own; the version is the one they have. */
  | { type: 'file'; token: number; file: FileNumber; version: Version; bytes: Uint8Array }
  | { type: 'readFailed'; token: number; file: FileNumber; reason: string }
  | { type: 'committed'; token: number }
  /** A write or a sync failed: nothing is known of what the disk holds; the server stops. */
  | { type: 'failed'; reason: string }
  | { type: 'closed' };
