/** An orderly stop: what was begun is finished, what is dirty is handed over, the server lets go. */

import type { FileNumber } from '../protocol/ids.ts';
import type { CachedFile } from './cached_file.ts';
import { log, sendToServer, type Cacher } from './cacher_state.ts';
import { DIRTY } from './copy_table.ts';

/** Stops at once; `complete` tells whether everything was handed over. */
export const stopNow = (cacher: Cacher, complete = true): void => {
  if (cacher.stopped) return;
  cacher.stopped = true;
  cacher.stopDeadlineMs = Infinity;
  cacher.commands.push({ do: 'stop', complete });
};

const isBusy = (cacher: Cacher): boolean => {
  for (const { operations, write } of cacher.files.values()) {
    if (operations.length > 0 || write !== undefined) return true;
  }
  return false;
};

/** The files of which this node has what is not on the disk. */
export const unsavedFiles = (cacher: Cacher): FileNumber[] =>
  [...cacher.files.values()]
    .filter(({ copy, operations, write }) => {
      const writes = write !== undefined || operations.some(({ kind }) => kind === 'write');
      return DIRTY.has(copy) || writes;
    })
    .map(({ file }) => file);

/** Dirty contents, and the proof that nothing was written under a term, should the other party of it be lost. */
const isNeeded = ({ copy, pledge }: CachedFile): boolean =>
  DIRTY.has(copy) || copy === 'reserved' || pledge !== undefined;

/** Takes the next step of a stop that is under way, if it can be taken. */
export const goOnStopping = (cacher: Cacher): void => {
  if (!cacher.stopping || cacher.stopped) return;
  const files = [...cacher.files.values()];
  if (cacher.registration === undefined) {
    stopNow(cacher);
  } else if (cacher.now >= cacher.stopDeadlineMs) {
    log(cacher, 'warn', 'stopping before everything could be handed over');
    stopNow(cacher, false);
  } else if (!cacher.serverUp && !isBusy(cacher) && !files.some(isNeeded)) {
    // Nobody is there to take leave of, and nothing to hand over.
    stopNow(cacher);
  } else if (!cacher.leaveSent && !isBusy(cacher)) {
    cacher.leaveSent = true;
    if (cacher.admitted) sendToServer(cacher, { type: 'leave' });
  }
};
