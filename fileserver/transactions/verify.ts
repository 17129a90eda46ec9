/**
 * The server looks at a file's blocks on the disk. Damaged ones are made good, through the journal: from its
 * own memory, or from a sharer with the same version, or, if the file is dirty, by writing it back.
 */

import { compareVersions, fileSizeBytes, type NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import type { DirectoryEntry } from '../directory_entry.ts';
import {
  commitContents,
  log,
  order,
  orderOf,
  outcomesOf,
  readFromDisk,
  type Server,
} from '../server_state.ts';
import { newWriteBack, type Verify } from '../transaction.ts';

export const startVerify = (server: Server, _entry: DirectoryEntry, transaction: Verify): void => {
  server.counters.filesVerified++;
  readFromDisk(server, transaction);
};

export const verifyAnswered = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Verify,
  _from: NodeId,
  message: Message,
): void => {
  if (message.type !== 'fetched' || !message.held) return;
  const { version, bytes } = message;
  if (compareVersions(version, entry.version) !== 0) return;
  if (bytes.length !== fileSizeBytes(server.options.geometry)) return;
  rewrite(server, entry, transaction, bytes.slice());
};

const rewrite = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Verify,
  bytes: Uint8Array,
): void => {
  transaction.phase = 'commit';
  const outcomes = outcomesOf(server, transaction.file);
  commitContents(server, transaction, entry.version, bytes, outcomes);
};

/** True when there is nothing more to be done: the file is sound, or nobody can make it good now. */
const repair = (server: Server, entry: DirectoryEntry, transaction: Verify): boolean => {
  const { file, failure } = transaction;
  if (entry.state === 'dirty') {
    log(server, 'warn', `${failure ?? ''}; it is newer in memories, and is written back now`);
    entry.queue.push(newWriteBack(file, { kind: 'server' }, 0));
    return true;
  }
  const own = server.memory.get(file);
  const sharer = [...entry.sharers].find((node) => !transaction.asked.has(node));
  if (own !== undefined) {
    rewrite(server, entry, transaction, own);
    return false;
  }
  if (sharer !== undefined) {
    transaction.phase = 'ask';
    transaction.asked.add(sharer);
    const message = { type: 'fetch', order: orderOf(server, transaction), file } as const;
    order(server, transaction, sharer, message, 'fetched');
    return false;
  }
  server.damaged.set(file, transaction.asked);
  log(server, 'warn', `${failure ?? ''}; nobody has a copy: reads of it fail until it is written`);
  return true;
};

/** True when the transaction is over. */
export const advanceVerify = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Verify,
): boolean => {
  const { file, contents, failure } = transaction;
  if (transaction.phase === 'commit') {
    if (contents !== undefined) server.memory.put(file, contents.bytes);
    server.counters.filesRepaired++;
    log(server, 'warn', `${failure ?? ''}; made good from a copy in memory`);
    return true;
  }
  if (failure !== undefined) return repair(server, entry, transaction);
  server.damaged.delete(file);
  return true;
};
