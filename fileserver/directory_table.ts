/** The stable states of a directory entry and what moves it (docs/coherence.md shows this table). */

export type DirectoryState = 'uncached' | 'shared' | 'dirty';

export type DirectoryEvent =
  /** A cacher has got a copy to read. */
  | 'read'
  /** A cacher has become owner, with a backup. */
  | 'modified'
  /** The owner's version is on the disk; all holders are sharers now. */
  | 'written-back'
  /** A write went straight to the disk; nobody holds a copy. */
  | 'written-through'
  /** After a loss: a new pair of owner and backup. */
  | 'promoted'
  /** After a loss: the disk has the newest contents, or has them again. */
  | 'restored'
  /** A clean copy is gone, others are left. */
  | 'copy-dropped'
  /** The last clean copy is gone. */
  | 'last-copy-dropped'
  /** Every clean copy was invalidated for a write for which there was no backup; the asker has it. */
  | 'sole-sharer';

export const DIRECTORY_TABLE: Readonly<
  Record<DirectoryState, Partial<Record<DirectoryEvent, DirectoryState>>>
> = {
  uncached: {
    read: 'shared',
    modified: 'dirty',
    promoted: 'dirty',
    'written-through': 'uncached',
    restored: 'uncached',
  },
  shared: {
    read: 'shared',
    modified: 'dirty',
    'written-through': 'uncached',
    restored: 'uncached',
    'copy-dropped': 'shared',
    'last-copy-dropped': 'uncached',
    'sole-sharer': 'shared',
  },
  dirty: {
    read: 'dirty',
    modified: 'dirty',
    'written-back': 'shared',
    promoted: 'dirty',
    'written-through': 'uncached',
    restored: 'uncached',
    'copy-dropped': 'dirty',
    'last-copy-dropped': 'dirty',
  },
};
