/**
 * Terms (docs/coherence.md, "Numbers"): a term is announced for a file once in the life of the volume, also
 * where it never comes into force. Each life of the server has a range of its own, so that it need not know what
 * an earlier one has announced.
 */

import { assert } from '../protocol/assert.ts';
import { TERMS_PER_EPOCH, type FileNumber } from '../protocol/ids.ts';
import type { DirectoryEntry } from './directory_entry.ts';
import type { Server } from './server_state.ts';

/** The highest term that a life of the server before this one can have announced. */
export const firstTermFloor = (epoch: number): number => {
  const floor = (epoch - 1) * TERMS_PER_EPOCH;
  assert(floor >= 0 && Number.isSafeInteger(floor), `epoch ${epoch} is beyond the last, 2^21`);
  return floor;
};

/** A term that nobody has heard of yet: the entry's from now on, in force once the disk has its mark. */
export const newTerm = (server: Server, entry: DirectoryEntry): number => {
  entry.term = newestTerm(server, entry.file) + 1;
  const end = server.options.epoch * TERMS_PER_EPOCH;
  assert(entry.term < end, `file ${entry.file}: a life of the server has 2^32 terms for it`);
  return entry.term;
};

/** The highest term that can have been announced for the file. */
export const newestTerm = (server: Server, file: FileNumber): number => {
  const term = server.entries.get(file)?.term ?? server.meta(file).version.term;
  return Math.max(term, server.termFloor);
};

/** An entry is forgotten: a term that its version does not tell of must not be announced again. */
export const keepTerm = (server: Server, { term, version }: DirectoryEntry): void => {
  if (term > version.term) server.termFloor = Math.max(server.termFloor, term);
};

/** The term in force of a file: of its mark, or the one that its clean contents were written in. */
export const termInForce = (server: Server, entry: DirectoryEntry): number =>
  server.meta(entry.file).mark?.term ?? entry.version.term;
