/** Operations that wait for the cluster longer than they may, and writes whose outcome is not known. */

import type { CachedFile, Operation } from './cached_file.ts';
import { replyFailed, type Cacher } from './cacher_state.ts';

/** An application that is told nothing more of an operation. */
const NOBODY = '';

const fail = (cacher: Cacher, operation: Operation, text: string): void => {
  replyFailed(cacher, operation.link, operation.request, 'ETIMEDOUT', text);
  // It goes on where it has begun; a second answer would be one too many.
  operation.link = NOBODY;
};

/** Fails what has waited too long. A write that has begun may still happen, and is not undone. */
export const timeOut = (cacher: Cacher, cached: CachedFile): void => {
  const { serverWaitMs } = cacher.options;
  const isLate = ({ link, queuedAtMs }: Operation): boolean =>
    link !== NOBODY && cacher.now >= queuedAtMs + serverWaitMs;
  const started = cached.want?.operation;
  const pending = cached.write?.operation;
  if (pending !== undefined && isLate(pending)) {
    cacher.counters.timedOut++;
    fail(
      cacher,
      pending,
      `no second node has taken the write in ${serverWaitMs} ms: it may happen yet`,
    );
  }
  const late = cached.operations.filter(isLate);
  if (late.length === 0) return;
  for (const operation of late) {
    cacher.counters.timedOut++;
    const begun = operation === started && operation.through && operation.kind === 'write';
    const end = begun ? 'the write may happen yet' : 'it was not carried out';
    fail(cacher, operation, `file ${cached.file} was out of reach for ${serverWaitMs} ms: ${end}`);
  }
  cached.operations = cached.operations.filter(
    (operation) => operation.link !== NOBODY || (operation === started && operation.through),
  );
};

/**
 * Fails what was asked of the server for an application for too long; an opening waits for its turn, and a closing
 * for the server.
 */
export const timeOutRelayed = (cacher: Cacher): void => {
  const { serverWaitMs } = cacher.options;
  for (const [id, { link, request, message, sinceMs }] of [...cacher.relayed]) {
    const waits = message.type === 'openWriter' || message.type === 'closeWriter';
    if (waits || cacher.now < sinceMs + serverWaitMs) continue;
    cacher.relayed.delete(id);
    cacher.counters.timedOut++;
    const text = `${message.type}: no answer of the file server in ${serverWaitMs} ms`;
    replyFailed(cacher, link, request, 'ETIMEDOUT', text);
  }
};

/** The contents that a write was made in are given up: nobody here can tell whether others have it. */
export const outcomeUnknown = (cacher: Cacher, cached: CachedFile): void => {
  const operation = cached.write?.operation;
  cached.write = undefined;
  if (operation === undefined) return;
  fail(cacher, operation, `the write to file ${cached.file} may or may not have happened`);
};
