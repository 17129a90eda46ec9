/** What this node does when another is lost: it stops, reports, and may become owner (rule 13). */

import { assert } from '../protocol/assert.ts';
import type { Message } from '../protocol/messages.ts';
import { sendWrite, startSync, writeIsSafe } from './backup_writes.ts';
import { move, type CachedFile } from './cached_file.ts';
import { sendToServer, type Cacher } from './cacher_state.ts';
import { DIRTY } from './copy_table.ts';
import { releasePages } from './pages.ts';

/**
 * This node was to be owner of a dirty file and has its contents: should the grant be lost together with
 * the new backup, nobody else may have them.
 */
export const isEntrusted = ({ copy, pledge, version }: CachedFile): boolean =>
  (copy === 'arriving' || copy === 'shared') &&
  pledge !== undefined &&
  pledge.base > 0 &&
  version.term <= pledge.base;

/** Keeps what it is entrusted with, under the term whose holders it was to take over from. */
export const hold = (cached: CachedFile): void => {
  move(cached, 'hold');
  cached.contentsTerm = cached.pledge?.base ?? 0;
};

/** Stops serving the file, gives a clean copy up, says what is held. */
export const recover = (cacher: Cacher, cached: CachedFile, message: Message<'recover'>): void => {
  const { order, file, term } = message;
  cached.orders = [];
  cached.promotion = undefined;
  cached.prepared = undefined;
  // Data that was sent before may be of an owner that is lost (rule 7).
  cached.fence = order;
  cached.term = Math.max(cached.term, term);
  // An empty place proves something only if the disk had the contents when it was made.
  if (cached.copy === 'reserved' && !cached.onDisk) move(cached, 'invalidate');
  if (isEntrusted(cached)) hold(cached);
  else if (cached.copy !== 'invalid') move(cached, 'recover');
  if (cached.copy === 'invalid') releasePages(cacher, cached);
  const dirty = DIRTY.has(cached.copy);
  const kind = dirty ? 'dirty' : cached.copy === 'reserved' ? 'empty' : 'none';
  const { contentsTerm, version, pledge } = cached;
  const ungranted = { ungranted: pledge?.term ?? 0, base: pledge?.base ?? 0 };
  const report = { kind, term: contentsTerm, version, ...ungranted } as const;
  sendToServer(cacher, { type: 'recovered', order, file, ...report });
};

/** This node is the owner now; the new backup gets everything before the file is served. */
export const promote = (cacher: Cacher, cached: CachedFile, message: Message<'promote'>): void => {
  const { order, file, term, backup } = message;
  if (cached.copy !== 'frozen' && cached.roleTerm === term) {
    // A repeat: the backup is being brought up to date, or is.
    if (cached.write?.acknowledged !== false) {
      sendToServer(cacher, { type: 'promoted', order, file });
    }
    return;
  }
  assert(cached.copy === 'frozen', `file ${file}: promoted when ${cached.copy}`);
  move(cached, 'promote');
  cached.term = term;
  cached.roleTerm = term;
  cached.contentsTerm = term;
  cached.owner = undefined;
  cached.backup = backup;
  cached.backupVersion = undefined;
  cached.promotion = order;
  cached.pledge = undefined;
  cached.dirtySinceMs ??= cacher.now;
  if (cached.write === undefined) {
    startSync(cacher, cached);
  } else {
    cached.write.acknowledged = false;
    cached.write.silentSinceMs = cacher.now;
    sendWrite(cacher, cached);
  }
};

/** The backup has everything: the file is on two nodes again. */
export const protectedAgain = (cacher: Cacher, cached: CachedFile): void => {
  const { promotion: order, file } = cached;
  if (order === undefined) return;
  cached.promotion = undefined;
  sendToServer(cacher, { type: 'promoted', order, file });
};

/** The disk names this node as backup: what it holds may be read, and a write of its own in it is safe. */
export const confirmBackup = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'confirmBackup'>,
): void => {
  const { order, file, term } = message;
  if (cached.copy === 'standby' && cached.roleTerm === term) {
    move(cached, 'confirm');
    writeIsSafe(cacher, cached, 2);
  }
  sendToServer(cacher, { type: 'backupConfirmed', order, file });
};
