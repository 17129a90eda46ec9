/** Flushes: somebody waits until what is dirty now is on the disk, one file or all of them. */

import { FsError } from '../protocol/errors.ts';
import type { FileNumber } from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import { staleError } from '../protocol/open_files.ts';
import { submitWriteBack } from './membership.ts';
import { fileExists, noSuchFile, type Server } from './server_state.ts';

/** How many flushes may wait at once. */
export const FLUSHES_LIMIT = 1024;

export interface Flush {
  readonly link: string;
  readonly request: number;
  /** Files that were dirty when it was asked for and have not been written back since. */
  readonly files: Set<FileNumber>;
}

const answer = (server: Server, { link, request }: Flush, message?: Message): void => {
  const done = { type: 'flushed', request } as const;
  server.commands.push({ do: 'send', to: link, message: message ?? done });
};

/** Writes back what is dirty; whoever asked is answered when all of it is on the disk. */
export const flush = (server: Server, link: string, message: Message<'flush'>): void => {
  const { request, file, all } = message;
  if (server.flushes.some((each) => each.link === link && each.request === request)) return;
  const begun: Flush = { link, request, files: new Set() };
  if (!all && !fileExists(server, file)) {
    answer(server, begun, noSuchFile(server, request, file));
    return;
  }
  if (server.flushes.length >= FLUSHES_LIMIT) {
    const text = `${FLUSHES_LIMIT} flushes wait already, which is the limit`;
    answer(server, begun, { type: 'failed', request, code: 'EBUSY', message: text });
    return;
  }
  for (const entry of server.entries.values()) {
    if (entry.state === 'dirty' && (all || entry.file === file)) begun.files.add(entry.file);
  }
  if (begun.files.size === 0) {
    answer(server, begun);
    return;
  }
  server.flushes.push(begun);
  for (const each of [...begun.files]) submitWriteBack(server, each);
};

/** A file is on the disk: called when a transaction has left it clean. */
export const noteClean = (server: Server, file: FileNumber): void => {
  if (server.flushes.length === 0) return;
  settle(server, file, undefined);
};

/** What was to be flushed is lost. */
export const noteFlushLost = (server: Server, file: FileNumber): void => {
  settle(server, file, staleError(file));
};

const settle = (server: Server, file: FileNumber, error: FsError | undefined): void => {
  server.flushes = server.flushes.filter((each) => {
    if (!each.files.delete(file)) return true;
    if (error !== undefined) {
      const { code, message } = error;
      answer(server, each, { type: 'failed', request: each.request, code, message });
      return false;
    }
    if (each.files.size > 0) return true;
    answer(server, each);
    return false;
  });
};

/** Whoever asked is gone. */
export const forgetFlushes = (server: Server, link: string): void => {
  server.flushes = server.flushes.filter((each) => each.link !== link);
};
