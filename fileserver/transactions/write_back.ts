/** A checkpoint of a dirty file: the disk gets it and every copy is clean after it (rule 11). */

import { assert } from '../../protocol/assert.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { copiesOf, transition, type DirectoryEntry } from '../directory_entry.ts';
import { commitContents, order, orderOf, replyTo, type Server } from '../server_state.ts';
import type { WriteBack } from '../transaction.ts';

export const startWriteBack = (
  server: Server,
  entry: DirectoryEntry,
  transaction: WriteBack,
): void => {
  const { file } = transaction;
  const { owner } = entry;
  // Another transaction may have cleaned the file since this one was asked for.
  if (owner === undefined) return;
  server.counters.writeBacks++;
  const message = { type: 'collect', order: orderOf(server, transaction), file } as const;
  order(server, transaction, owner, message, 'collected');
};

export const writeBackAnswered = (
  server: Server,
  entry: DirectoryEntry,
  transaction: WriteBack,
  _from: NodeId,
  message: Message,
): void => {
  if (message.type !== 'collected') return;
  transaction.phase = 'commit';
  commitContents(server, transaction, message.version, message.bytes.slice(), message.outcomes);
  entry.eviction =
    transaction.requester.kind === 'member' ? 'written back for a cacher' : 'written back';
};

/** The disk has it: the pair become sharers, in the directory and then in their own books. */
const clean = (server: Server, entry: DirectoryEntry, transaction: WriteBack): void => {
  const { file, contents } = transaction;
  const { owner, backup } = entry;
  assert(contents !== undefined, `file ${file}: committed without contents`);
  assert(owner !== undefined && backup !== undefined, `file ${file}: cleaned without a pair`);
  transaction.phase = 'clean';
  server.memory.put(file, contents.bytes);
  entry.version = contents.version;
  entry.sharers.add(owner);
  entry.sharers.add(backup);
  entry.owner = undefined;
  entry.backup = undefined;
  transition(entry, 'written-back');
  const { version } = contents;
  const copies = copiesOf(entry);
  for (const node of [owner, backup]) {
    const message = {
      type: 'clean',
      order: orderOf(server, transaction),
      file,
      version,
      copies,
    } as const;
    order(server, transaction, node, message, 'cleaned');
  }
};

/** True when the transaction is over. */
export const advanceWriteBack = (
  server: Server,
  entry: DirectoryEntry,
  transaction: WriteBack,
): boolean => {
  if (transaction.phase === 'commit') {
    clean(server, entry, transaction);
    return false;
  }
  const { file, request, requester } = transaction;
  replyTo(server, requester, { type: 'writtenBack', request, file });
  return true;
};
