/** The reads and writes of this node's applications: each file's take turns, in order of arrival. */

import { assert } from '../protocol/assert.ts';
import { fileSizeBytes, type Source, type Version } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { startWrite } from './backup_writes.ts';
import { move, type CachedFile, type Operation } from './cached_file.ts';
import { ask, isDegraded, newRequest, reply, replyFailed, type Cacher } from './cacher_state.ts';
import { DIRTY, READABLE } from './copy_table.ts';
import { hasLease } from './leases.ts';
import { execute } from './orders.ts';
import { reserve, serveWaiting } from './pages.ts';

/**
 * Does what can be done for a file now: nothing while a write is on its way to the backup; then
 * orders of the server, before any further write (rule 14); then the applications' turns.
 */
export const pump = (cacher: Cacher, cached: CachedFile): void => {
  while (cached.write === undefined) {
    const order = cached.orders.shift();
    if (order !== undefined) {
      execute(cacher, cached, order);
      continue;
    }
    const operation = cached.operations[0];
    // Without a lease nothing is served: others may be changing the file already.
    if (operation === undefined || !hasLease(cacher)) return;
    if (!turn(cacher, cached, operation)) return;
  }
};

/** One step of the operation whose turn it is. False if it has to wait for an answer. */
const turn = (cacher: Cacher, cached: CachedFile, operation: Operation): boolean => {
  // An operation that goes through the server is over when the answer is here, not before.
  if (operation.through && cached.want?.operation === operation) return false;
  if (operation.kind === 'read' && READABLE.has(cached.copy)) {
    cached.operations.shift();
    finishRead(cacher, cached, operation);
    return true;
  }
  if (cached.want !== undefined || isBeingGiven(cached)) return false;
  if (operation.through) return goThrough(cacher, cached, operation);
  if (operation.kind === 'write' && cached.copy === 'modified') {
    cached.operations.shift();
    startWrite(cacher, cached, operation);
    return true;
  }
  switch (reserve(cacher, cached)) {
    case 'waits':
      return false;
    case 'full':
      operation.through = true;
      return true;
    case 'reserved':
      acquire(cacher, cached, operation);
      return false;
  }
};

/** The file is on its way here without having been asked for, or is not in force here yet. */
const isBeingGiven = ({ copy }: CachedFile): boolean =>
  copy === 'expecting' || copy === 'reserved' || copy === 'standby';

const acquire = (cacher: Cacher, cached: CachedFile, operation: Operation): void => {
  const { file } = cached;
  operation.missed = true;
  const request = newRequest(cacher);
  if (operation.kind === 'read') {
    ask(cacher, cached, { type: 'getShared', request, file }, operation);
  } else {
    const holds = cached.copy !== 'invalid';
    ask(cacher, cached, { type: 'getModified', request, file, holds }, operation);
  }
};

const goThrough = (cacher: Cacher, cached: CachedFile, operation: Operation): boolean => {
  const { file } = cached;
  const request = newRequest(cacher);
  const { offset, length, bytes, client } = operation;
  if (operation.kind === 'read') {
    ask(cacher, cached, { type: 'readThrough', request, file, offset, length }, operation);
  } else {
    const write = { offset, bytes, client, operation: operation.request } as const;
    const keep = cached.pages > 0;
    const registration = cacher.registration?.firstClient ?? 0;
    const first = { keep, again: false, registration } as const;
    ask(cacher, cached, { type: 'writeThrough', request, file, ...write, ...first }, operation);
  }
  return false;
};

const finishRead = (cacher: Cacher, cached: CachedFile, operation: Operation): void => {
  const { offset, length } = operation;
  const bytes = cached.bytes.slice(offset, offset + length);
  const source = operation.missed ? cached.source : 'local';
  cached.lastUsedMs = cacher.now;
  cached.chances = 0;
  answerRead(cacher, operation, bytes, source, cached.version);
};

const answerRead = (
  cacher: Cacher,
  { link, request }: Operation,
  bytes: Uint8Array,
  source: Source,
  version: Version,
): void => {
  const { counters } = cacher;
  counters.reads++;
  if (source === 'local') counters.readsLocal++;
  if (source === 'peer') counters.readsPeer++;
  if (source === 'server') counters.readsServer++;
  if (source === 'disk') counters.readsDisk++;
  reply(cacher, link, { type: 'readDone', request, bytes, source, version });
};

/** The server read the bytes for an operation that could not be cached. */
export const readThroughDone = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'readThroughDone'>,
): void => {
  const operation = takeThrough(cached, message.request);
  if (operation === undefined) return;
  cacher.counters.readsThrough++;
  answerRead(cacher, operation, message.bytes, message.source, message.version);
};

/** The server wrote the bytes to the disk. */
export const writeThroughDone = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'writeThroughDone'>,
): Operation | undefined => {
  const operation = takeThrough(cached, message.request);
  if (operation === undefined) return undefined;
  const { count, version } = message;
  cacher.counters.writes++;
  cacher.counters.writesDisk++;
  const { link, request } = operation;
  reply(cacher, link, {
    type: 'writeDone',
    request,
    count,
    version,
    copies: 0,
    degraded: isDegraded(cacher),
  });
  return operation;
};

/** The operation behind an answered request, which is over with it. */
const takeThrough = (cached: CachedFile, request: number): Operation | undefined => {
  if (cached.want?.message.request !== request) return undefined;
  const { operation } = cached.want;
  // An answer to something else, that had the same number.
  if (operation?.through !== true) return undefined;
  cached.want = undefined;
  // Its application may be gone.
  if (cached.operations[0] === operation) cached.operations.shift();
  return operation;
};

/** A write for which nobody needs the contents from before, which the disk may have lost. */
const isOfWholeFile = (cacher: Cacher, { kind, offset, bytes }: Operation): boolean => {
  const { registration } = cacher;
  assert(
    registration !== undefined,
    'an answer of a server that this node has not registered with',
  );
  return kind === 'write' && offset === 0 && bytes.length === fileSizeBytes(registration.geometry);
};

/** The server refused: the operation that asked fails, the others try for themselves. */
export const requestFailed = (
  cacher: Cacher,
  cached: CachedFile,
  message: Message<'failed'>,
): void => {
  const operation = cached.want?.operation;
  cached.want = undefined;
  // What it was entrusted with and is kept for a recovery is still told by it.
  if (!DIRTY.has(cached.copy) && cached.copy !== 'reserved') cached.pledge = undefined;
  if (cached.copy === 'arriving') move(cached, 'refused');
  // It may be over already: served from a copy that came another way, or its application is gone.
  if (operation === undefined || cached.operations[0] !== operation) return;
  if (message.code === 'EIO' && !operation.through && isOfWholeFile(cacher, operation)) {
    operation.through = true;
    return;
  }
  cached.operations.shift();
  replyFailed(cacher, operation.link, operation.request, message.code, message.message);
};

/** Pages may have become free: whoever waits for them goes on. */
export const pumpWaiting = (cacher: Cacher): void => {
  while (true) {
    const served = serveWaiting(cacher);
    if (served.length === 0) return;
    for (const { file, reserved } of served) {
      const cached = cacher.files.get(file);
      if (cached === undefined) continue;
      const operation = cached.operations[0];
      if (!reserved && operation !== undefined) operation.through = true;
      pump(cacher, cached);
    }
  }
};
