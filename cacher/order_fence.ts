/** Which orders of the server still count. */

import type { Message } from '../protocol/messages.ts';
import type { Cacher } from './cacher_state.ts';

/**
 * What reaches a node only in a role, or for a request, that it has had since it registered. Other orders
 * may be of transactions that began before it came.
 */
const OF_A_ROLE: ReadonlySet<Message['type']> = new Set<Message['type']>([
  'data',
  'grant',
  'prepareOwner',
  'freeze',
  'collect',
  'clean',
  'prepareBackup',
  'promote',
  'confirmBackup',
  'expect',
  'recover',
  'writeThroughDone',
  'noBackup',
]);

/**
 * Orders and data of an earlier epoch, or of an earlier registration, are void (rule 7). So is an order
 * that overtakes the answer to a registration, which would undo it: the server repeats it after the
 * first heartbeat.
 */
export const isCurrent = (cacher: Cacher, message: Message): boolean => {
  if (!('order' in message)) return true;
  const { registration } = cacher;
  if (!cacher.admitted || registration === undefined) return false;
  const { epoch, sequence } = message.order;
  // A copy that is listed anew may be asked for by a transaction that began before.
  if ('registration' in message && message.registration !== registration.firstClient) return false;
  const old = OF_A_ROLE.has(message.type) && sequence < registration.firstSequence;
  return epoch === registration.epoch && !old;
};
