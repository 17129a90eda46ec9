/** Which functions carry out which kind of transaction. */

import type { NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import type { DirectoryEntry } from '../directory_entry.ts';
import type { Server } from '../server_state.ts';
import type { Transaction } from '../transaction.ts';
import { advanceGetModified, getModifiedAnswered, startGetModified } from './get_modified.ts';
import { advanceGetShared, getSharedAnswered, startGetShared } from './get_shared.ts';
import { advanceRecirculate, recirculateAnswered, startRecirculate } from './recirculate.ts';
import {
  advanceReadThrough,
  advanceWriteThrough,
  readThroughAnswered,
  startReadThrough,
  startWriteThrough,
  writeThroughAnswered,
} from './through.ts';
import { advanceVerify, startVerify, verifyAnswered } from './verify.ts';
import { advanceRecover, recoverAnswered, startRecover } from './recover.ts';
import { advanceWriteBack, startWriteBack, writeBackAnswered } from './write_back.ts';

/** Starts a transaction that has its turn. */
export const begin = (server: Server, entry: DirectoryEntry, transaction: Transaction): void => {
  switch (transaction.kind) {
    case 'getShared':
      startGetShared(server, entry, transaction);
      break;
    case 'getModified':
      startGetModified(server, entry, transaction);
      break;
    case 'writeBack':
      startWriteBack(server, entry, transaction);
      break;
    case 'recirculate':
      startRecirculate(server, entry, transaction);
      break;
    case 'readThrough':
      startReadThrough(server, entry, transaction);
      break;
    case 'writeThrough':
      startWriteThrough(server, entry, transaction);
      break;
    case 'verify':
      startVerify(server, entry, transaction);
      break;
    case 'recover':
      startRecover(server, entry, transaction);
      break;
    default:
      transaction satisfies never;
  }
};

/** Takes an answer in. */
export const take = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Transaction,
  from: NodeId,
  message: Message,
): void => {
  switch (transaction.kind) {
    case 'getShared':
      getSharedAnswered(server, entry, transaction, from, message);
      break;
    case 'getModified':
      getModifiedAnswered(server, entry, transaction, from, message);
      break;
    case 'writeBack':
      writeBackAnswered(server, entry, transaction, from, message);
      break;
    case 'recirculate':
      recirculateAnswered(server, entry, transaction, from, message);
      break;
    case 'readThrough':
      readThroughAnswered(server, entry, transaction, from, message);
      break;
    case 'writeThrough':
      writeThroughAnswered(server, entry, transaction, from, message);
      break;
    case 'verify':
      verifyAnswered(server, entry, transaction, from, message);
      break;
    case 'recover':
      recoverAnswered(server, entry, transaction, from, message);
      break;
    default:
      transaction satisfies never;
  }
};

/** Nothing is awaited: goes on. True when the transaction is over. */
export const advance = (
  server: Server,
  entry: DirectoryEntry,
  transaction: Transaction,
): boolean => {
  switch (transaction.kind) {
    case 'getShared':
      return advanceGetShared(server, entry, transaction);
    case 'getModified':
      return advanceGetModified(server, entry, transaction);
    case 'writeBack':
      return advanceWriteBack(server, entry, transaction);
    case 'recirculate':
      return advanceRecirculate(server, entry, transaction);
    case 'readThrough':
      return advanceReadThrough(server, entry, transaction);
    case 'writeThrough':
      return advanceWriteThrough(server, entry, transaction);
    case 'verify':
      return advanceVerify(server, entry, transaction);
    case 'recover':
      return advanceRecover(server, entry, transaction);
  }
};
