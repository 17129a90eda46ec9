/** The states of a cacher's copy of one file and what moves it (docs/coherence.md shows this table). */

export type CopyState =
  /** No copy. */
  | 'invalid'
  /** Pages are kept for a last copy that another cacher is about to hand over. */
  | 'expecting'
  /** A clean copy, readable. */
  | 'shared'
  /** Contents received ahead of a grant; not readable yet. */
  | 'arriving'
  /** Owner, exclusive but for the backup. */
  | 'modified'
  /** Owner; others may read. */
  | 'owned'
  /** Owner, whose contents are on their way to the disk; readable, not writable. */
  | 'writing-back'
  /** Chosen as backup, pages kept, contents not here yet; not readable. */
  | 'reserved'
  /** The second copy of a dirty file; readable by this node's applications. */
  | 'backup'
  /** The second copy after a loss, of a pair that the disk does not name yet; not readable. */
  | 'standby'
  /** Dirty contents under a term that has ended; kept until told to drop them, not readable. */
  | 'frozen'
  /** Chosen as owner after a loss: brings the new backup up to date, serves nothing yet. */
  | 'syncing';

export type CopyEvent =
  | 'data'
  | 'data-ahead-of-grant'
  | 'grant'
  | 'no-backup'
  /** The grant does not come: the server could not carry the request out. */
  | 'refused'
  | 'kept'
  | 'expect'
  | 'prepare-backup'
  /** The same after a loss: the disk does not have what it starts from. */
  | 'prepare-standby'
  | 'backup-write'
  /** What an owner that a recovery has chosen brings its backup up to date with. */
  | 'sync-write'
  /** The disk names this node as backup. */
  | 'confirm'
  | 'forward'
  | 'freeze-as-backup'
  | 'freeze'
  | 'collect'
  | 'clean'
  | 'drop'
  | 'invalidate'
  | 'evict'
  /** Somebody was lost: stop serving, give clean copies up. */
  | 'recover'
  /** Owner from now on, in place of one that was lost. */
  | 'promote'
  /** As recover or registered-anew, where the contents are those of a term whose other holders may be gone. */
  | 'hold'
  /** This node registered anew: the server knows nothing of what it holds. */
  | 'registered-anew';

export const COPY_TABLE: Readonly<Record<CopyState, Partial<Record<CopyEvent, CopyState>>>> = {
  invalid: {
    data: 'shared',
    'data-ahead-of-grant': 'arriving',
    grant: 'modified',
    kept: 'shared',
    expect: 'expecting',
    'prepare-backup': 'reserved',
    'prepare-standby': 'reserved',
  },
  expecting: {
    data: 'shared',
    invalidate: 'invalid',
    recover: 'invalid',
    'registered-anew': 'invalid',
  },
  shared: {
    grant: 'modified',
    'prepare-backup': 'backup',
    'prepare-standby': 'standby',
    drop: 'invalid',
    invalidate: 'invalid',
    evict: 'invalid',
    hold: 'frozen',
    recover: 'invalid',
    'registered-anew': 'invalid',
  },
  arriving: {
    grant: 'modified',
    'no-backup': 'shared',
    refused: 'invalid',
    hold: 'frozen',
    recover: 'invalid',
    'registered-anew': 'invalid',
  },
  modified: {
    forward: 'owned',
    'freeze-as-backup': 'backup',
    freeze: 'frozen',
    collect: 'writing-back',
    recover: 'frozen',
    'registered-anew': 'frozen',
  },
  owned: {
    grant: 'modified',
    forward: 'owned',
    'freeze-as-backup': 'backup',
    freeze: 'frozen',
    collect: 'writing-back',
    recover: 'frozen',
    'registered-anew': 'frozen',
  },
  'writing-back': { clean: 'shared', recover: 'frozen', 'registered-anew': 'frozen' },
  reserved: {
    'backup-write': 'backup',
    'sync-write': 'standby',
    'prepare-backup': 'reserved',
    'prepare-standby': 'reserved',
    invalidate: 'invalid',
    drop: 'invalid',
    recover: 'reserved',
    'registered-anew': 'reserved',
  },
  backup: {
    'backup-write': 'backup',
    grant: 'modified',
    freeze: 'frozen',
    clean: 'shared',
    invalidate: 'invalid',
    recover: 'frozen',
    'registered-anew': 'frozen',
  },
  standby: {
    'backup-write': 'standby',
    confirm: 'backup',
    recover: 'frozen',
    'registered-anew': 'frozen',
  },
  frozen: {
    drop: 'invalid',
    'prepare-backup': 'backup',
    'prepare-standby': 'standby',
    'backup-write': 'backup',
    'sync-write': 'standby',
    promote: 'syncing',
    collect: 'writing-back',
    recover: 'frozen',
    'registered-anew': 'frozen',
  },
  syncing: { grant: 'modified', recover: 'frozen', 'registered-anew': 'frozen' },
};

/** States whose contents an application of this node may read. */
export const READABLE: ReadonlySet<CopyState> = new Set<CopyState>([
  'shared',
  'modified',
  'owned',
  'writing-back',
  'backup',
]);

/** States whose contents may exist nowhere but here and at one other node. */
export const DIRTY: ReadonlySet<CopyState> = new Set<CopyState>([
  'modified',
  'owned',
  'writing-back',
  'backup',
  'standby',
  'frozen',
  'syncing',
]);
