/**
 * Writes on their way to the second memory: the owner sends each to its backup and answers the
 * application only when the backup has acknowledged it (rule 1). Deltas name the version they build on;
 * on a mismatch the whole file follows; duplicates are acknowledged again (rule 3).
 */

import { assert } from '../protocol/assert.ts';
import { compareVersions, OUTCOMES_KEPT, type NodeId, type Version } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { clip } from '../protocol/open_files.ts';
import { isOwner, isSecondCopy, move, type CachedFile, type Operation } from './cached_file.ts';
import { hasLease } from './leases.ts';
import {
  cachedFile,
  isDegraded,
  log,
  reply,
  sendToPeer,
  sizeOf,
  type Cacher,
} from './cacher_state.ts';

/** How long an owner waits for its backup before it sends a write again. */
export const BACKUP_RESEND_MS = 1000;

const nextVersion = ({ term, version }: CachedFile): Version => ({
  term,
  counter: version.counter + 1,
});

/** What is sent to the backup for the first time. */
const unanswered = ({ now }: Cacher) => ({
  sentAtMs: now,
  silentSinceMs: now,
  acknowledged: false,
});

/** Applies a write here and sends it to the backup. Nothing of the file is served until it is there. */
export const startWrite = (cacher: Cacher, cached: CachedFile, operation: Operation): void => {
  assert(cached.copy === 'modified', `file ${cached.file}: a write in state ${cached.copy}`);
  assert(cached.write === undefined, `file ${cached.file}: two writes at once`);
  const { offset, bytes, client, request } = operation;
  const base = cached.version;
  const version = nextVersion(cached);
  const outcome = { client, operation: request, count: bytes.length };
  cached.bytes.set(bytes, offset);
  cached.version = version;
  cached.outcomes = [...cached.outcomes, outcome].slice(-OUTCOMES_KEPT);
  cached.lastUsedMs = cacher.now;
  cached.chances = 0;
  cached.dirtySinceMs ??= cacher.now;
  const extent = { offset, length: bytes.length };
  cached.write = { operation, version, base, ...extent, ...unanswered(cacher) };
  sendWrite(cacher, cached);
};

/** Brings a backup that has no copy yet up to date without a write. */
export const startSync = (cacher: Cacher, cached: CachedFile): void => {
  const { version } = cached;
  const none = { operation: undefined, offset: 0, length: 0 };
  cached.write = { ...none, version, base: version, ...unanswered(cacher) };
  sendWrite(cacher, cached);
};

/** Sends the pending write: as a delta if the backup is known to hold what it builds on. */
export const sendWrite = (cacher: Cacher, cached: CachedFile): void => {
  // What is not an owner's waits for the server to say who keeps the second copy now.
  if (cached.copy === 'frozen' || cached.copy === 'standby') return;
  const { write, backup, backupVersion, file, roleTerm: term, outcomes } = cached;
  assert(write !== undefined && backup !== undefined, `file ${file}: no write to send`);
  write.sentAtMs = cacher.now;
  const { version, base } = write;
  const whole = backupVersion === undefined || compareVersions(backupVersion, base) !== 0;
  const offset = whole ? 0 : write.offset;
  const end = whole ? cached.bytes.length : offset + write.length;
  const bytes = cached.bytes.subarray(offset, end);
  const fields = { file, term, whole, base, version, offset, bytes, outcomes } as const;
  sendToPeer(cacher, backup, { type: 'backupWrite', ...fields });
};

/** The backup holds the write: the application may know. True if it was the pending one. */
export const backupAck = (
  cacher: Cacher,
  from: NodeId,
  message: Message<'backupAck'>,
): CachedFile | undefined => {
  const cached = cacher.files.get(message.file);
  const write = cached?.write;
  if (cached === undefined || write === undefined) return undefined;
  if (cached.backup !== from || cached.roleTerm !== message.term) return undefined;
  if (compareVersions(write.version, message.version) !== 0) return undefined;
  const sends = isOwner(cached) || cached.copy === 'syncing';
  if (cached.copy === 'frozen') return undefined;
  assert(sends, `file ${cached.file}: a backup's answer in state ${cached.copy}`);
  cached.backupVersion = write.version;
  // Until the disk names the new pair, a recovery may yet go back to what the old one has (rule 10).
  if (cached.copy === 'syncing') write.acknowledged = true;
  else writeIsSafe(cacher, cached, 2);
  return cached;
};

/** The pending write is where it has to be: on the disk (`copies` 0), or in two memories (2). */
export const writeIsSafe = (cacher: Cacher, cached: CachedFile, copies: 0 | 2): void => {
  const { write } = cached;
  if (write === undefined) return;
  cached.write = undefined;
  if (write.operation === undefined) return;
  const { link, request } = write.operation;
  const { version, length: count } = write;
  cacher.counters.writes++;
  if (copies === 0) cacher.counters.writesDisk++;
  else cacher.counters.writesTwoMemories++;
  const degraded = copies === 0 && isDegraded(cacher);
  reply(cacher, link, { type: 'writeDone', request, count, version, copies, degraded });
};

/** The backup does not hold what the delta builds on, or does not know the term yet, or any more. */
export const backupRefused = (
  cacher: Cacher,
  from: NodeId,
  message: Message<'backupRefused'>,
): void => {
  const cached = cacher.files.get(message.file);
  if (cached?.write === undefined || cached.backup !== from) return;
  if (cached.roleTerm !== message.term) return;
  if (message.reason === 'base') {
    cached.backupVersion = undefined;
    sendWrite(cacher, cached);
  }
  cached.write.silentSinceMs = cacher.now;
  // The timer repeats it with its next tick.
  if (message.reason === 'not-yet') cached.write.sentAtMs = cacher.now - BACKUP_RESEND_MS;
  // After "stale" the server's orders say what became of the file.
};

/** A frozen copy, older than the new owner's, which is to be replaced by the whole of that as backup. */
export const isAwaited = ({ copy, roleTerm, owner, prepared }: CachedFile, term: number): boolean =>
  copy === 'frozen' && prepared !== undefined && roleTerm === term && owner !== undefined;

/** A write arrives at the backup. */
export const backupWrite = (
  cacher: Cacher,
  from: NodeId,
  message: Message<'backupWrite'>,
): CachedFile | undefined => {
  const { file, term, version, base, whole, offset, bytes } = message;
  const cached = cachedFile(cacher, file);
  const answer = { file, term };
  const refuse = (reason: 'base' | 'not-yet' | 'stale'): CachedFile | undefined => {
    const held = cached.version;
    sendToPeer(cacher, from, { type: 'backupRefused', ...answer, version: held, reason });
    return undefined;
  };
  // Without a lease this node may have been given up: what it acknowledged would not count.
  const known = cached.term <= term && cached.roleTerm >= term;
  if ((cached.term < term && !known) || !hasLease(cacher)) return refuse('not-yet');
  const isBackup = isSecondCopy(cached) || cached.copy === 'reserved' || isAwaited(cached, term);
  if (cached.term > term || !isBackup || cached.owner !== from) return refuse('stale');
  const size = sizeOf(cacher);
  const fits = whole ? bytes.length === size : clip(size, offset, bytes.length) === bytes.length;
  if (!fits) {
    log(
      cacher,
      'warn',
      `backup write of ${from}: ${bytes.length} bytes at ${offset} of file ${file}`,
    );
    return undefined;
  }
  const second = isSecondCopy(cached);
  const held = second && compareVersions(version, cached.version) <= 0;
  if (!held && !whole && (!second || compareVersions(base, cached.version) !== 0)) {
    return refuse('base');
  }
  if (!held) {
    if (whole) cached.bytes = bytes.slice();
    else cached.bytes.set(bytes, offset);
    cached.version = version;
    cached.contentsTerm = term;
    cached.outcomes = message.outcomes;
    cached.lastUsedMs = cacher.now;
    cached.dirtySinceMs ??= cacher.now;
    move(cached, second || cached.onDisk ? 'backup-write' : 'sync-write');
  }
  sendToPeer(cacher, from, { type: 'backupAck', ...answer, version });
  return cached;
};
