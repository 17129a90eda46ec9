/**
 * The memory of a cacher, counted in pages of one block. Pages are reserved before data is asked
 * for, so that no transaction ever waits for memory; with none to be had the operation goes through
 * the server (rule 12).
 */

import { assert } from '../protocol/assert.ts';
import type { FileNumber } from '../protocol/ids.ts';
import { FILES_LIMIT } from '../protocol/messages.ts';
import { isIdle, move, type CachedFile } from './cached_file.ts';
import { ask, geometryOf, newRequest, sendToServer, type Cacher } from './cacher_state.ts';
import type { Candidate } from './replacement.ts';

interface Victim extends Candidate {
  readonly cached: CachedFile;
}

const pagesOfFile = (cacher: Cacher): number => geometryOf(cacher).blocksPerFile;

/**
 * Free pages that files may have: a node must be able to report all it holds in one message when it registers, so a
 * memory for more files than that is full before its pages are.
 */
export const usablePages = (cacher: Cacher): number => {
  const { options, freePages } = cacher;
  const limit = FILES_LIMIT * pagesOfFile(cacher);
  return Math.max(0, Math.min(freePages, limit - (options.pages - freePages)));
};

const take = (cacher: Cacher, cached: CachedFile): void => {
  assert(cached.pages === 0, `file ${cached.file} has its pages already`);
  cached.pages = pagesOfFile(cacher);
  cacher.freePages -= cached.pages;
  assert(cacher.freePages >= 0, `${cacher.freePages} free pages`);
};

/** Gives the file's pages back, unless a request that is under way will fill them again. */
export const releasePages = (cacher: Cacher, cached: CachedFile): void => {
  assert(cached.copy === 'invalid', `file ${cached.file}: ${cached.copy} and giving up its pages`);
  const refill = cached.want?.message.type;
  if (refill === 'getShared' || refill === 'getModified' || refill === 'writeThrough') return;
  cacher.freePages += cached.pages;
  cached.pages = 0;
};

/**
 * Reserves pages for a file whose next operation needs them: at once, or later (then
 * `serveWaiting` names it), or not at all.
 */
export const reserve = (cacher: Cacher, cached: CachedFile): 'reserved' | 'waits' | 'full' => {
  if (cached.pages > 0) return 'reserved';
  if (cacher.options.pages < pagesOfFile(cacher)) return 'full';
  if (cacher.waitingForPages.includes(cached.file)) return 'waits';
  if (cacher.waitingForPages.length === 0) {
    const result = makeRoom(cacher);
    if (result !== 'waits') {
      if (result === 'reserved') take(cacher, cached);
      return result;
    }
  }
  cacher.waitingForPages.push(cached.file);
  return 'waits';
};

/** Frees the pages of one file, or starts what will free them. */
const makeRoom = (cacher: Cacher): 'reserved' | 'waits' | 'full' => {
  const needed = pagesOfFile(cacher);
  while (usablePages(cacher) < needed) {
    if (beingFreed(cacher) > 0) return 'waits';
    const victim = cacher.options.policy.choose(victims(cacher));
    if (victim === undefined) return 'full';
    giveUp(cacher, victim.cached);
  }
  return 'reserved';
};

/** Files that will be clean, or gone, when the server has answered. */
const beingFreed = (cacher: Cacher): number => {
  let count = 0;
  for (const { want } of cacher.files.values()) {
    if (want?.message.type === 'writeBack' || want?.message.type === 'recirculate') count++;
  }
  return count;
};

const victims = (cacher: Cacher): Victim[] => {
  const found: Victim[] = [];
  for (const cached of cacher.files.values()) {
    if (cached.pages === 0 || !isIdle(cached)) continue;
    const { copy, lastUsedMs, copies } = cached;
    const clean = copy === 'shared';
    if (!clean && copy !== 'modified' && copy !== 'owned' && copy !== 'backup') continue;
    found.push({ cached, lastUsedMs, clean, copies });
  }
  return found;
};

/** Drops a clean file; moves a last copy to another node; writes a dirty file back first. */
const giveUp = (cacher: Cacher, cached: CachedFile): void => {
  const { file, chances } = cached;
  if (cached.copy !== 'shared') {
    cacher.counters.evictionsWrittenBack++;
    ask(cacher, cached, { type: 'writeBack', request: newRequest(cacher), file });
  } else if (mayRecirculate(cacher, cached)) {
    ask(cacher, cached, { type: 'recirculate', request: newRequest(cacher), file, chances });
  } else {
    evict(cacher, cached);
  }
};

const mayRecirculate = (cacher: Cacher, { copies, chances }: CachedFile): boolean =>
  copies < 2 &&
  chances < cacher.options.policy.chances &&
  cacher.members.length > 1 &&
  cacher.admitted;

/** Drops a clean copy and tells the server, which need not know at once. */
export const evict = (cacher: Cacher, cached: CachedFile): void => {
  move(cached, 'evict');
  cacher.counters.evictionsClean++;
  releasePages(cacher, cached);
  sendToServer(cacher, { type: 'evicted', file: cached.file });
};

/** Pages for a file that another node wants to keep here: free ones, or those of clean files that
 * can go at once. Nothing is asked of the server, so the answer is immediate. */
export const reserveAtOnce = (cacher: Cacher, cached: CachedFile, dropLast: boolean): boolean => {
  if (cached.pages > 0) return true;
  const needed = pagesOfFile(cacher);
  while (usablePages(cacher) < needed) {
    const clean = victims(cacher).filter((each) => each.clean && (dropLast || each.copies > 1));
    const victim = cacher.options.policy.choose(clean);
    if (victim === undefined) return false;
    evict(cacher, victim.cached);
  }
  take(cacher, cached);
  return true;
};

/** Gives freed pages to those that wait for them; answers the files that may go on. */
export const serveWaiting = (cacher: Cacher): { file: FileNumber; reserved: boolean }[] => {
  const served: { file: FileNumber; reserved: boolean }[] = [];
  while (true) {
    const file = cacher.waitingForPages[0];
    if (file === undefined) return served;
    const cached = cacher.files.get(file);
    const needless = cached === undefined || cached.operations.length === 0 || cached.pages > 0;
    const result = needless ? 'reserved' : makeRoom(cacher);
    if (result === 'waits') return served;
    cacher.waitingForPages.shift();
    if (!needless && result === 'reserved') take(cacher, cached);
    served.push({ file, reserved: result === 'reserved' });
  }
};
