/**
 * Ranges of numbers for the applications of registrations (protocol/client_numbers.ts). An epoch has a few hundred;
 * when half of them are given out the server takes a further epoch for them alone, and gives none of that before the
 * disk has it: the next life of the server begins with one that nobody has had.
 */

import { firstClientNumber, REGISTRATIONS_PER_EPOCH } from '../protocol/client_numbers.ts';
import type { ClientId } from '../protocol/ids.ts';
import type { Server } from './server_state.ts';

export interface ClientRanges {
  /** Whose ranges are given out, and which is next. */
  epoch: number;
  next: number;
  /** The newest epoch that is taken: on the disk, unless that is being told. */
  taken: number;
  /** The commit that tells it. */
  token: number | undefined;
}

/** The first of an epoch is for applications without a cacher. */
export const newClientRanges = (epoch: number): ClientRanges => ({
  epoch,
  next: 1,
  taken: epoch,
  token: undefined,
});

/** The first number of a range that nobody has had; undefined while the disk is told of further ones. */
export const takeRange = (server: Server): ClientId | undefined => {
  const { ranges } = server;
  if (ranges.next === REGISTRATIONS_PER_EPOCH) {
    if (ranges.taken === ranges.epoch || ranges.token !== undefined) return undefined;
    ranges.epoch = ranges.taken;
    ranges.next = 0;
  }
  const first = firstClientNumber(ranges.epoch, ranges.next++);
  if (ranges.next > REGISTRATIONS_PER_EPOCH / 2 && ranges.taken === ranges.epoch) takeEpoch(server);
  return first;
};

const takeEpoch = (server: Server): void => {
  const { ranges, longestLeaseMs } = server;
  ranges.taken++;
  ranges.token = server.nextToken++;
  const record = { kind: 'epoch', clusterEpoch: ranges.taken, longestLeaseMs } as const;
  server.commands.push({ do: 'commit', token: ranges.token, records: [record] });
};

/** True if what the disk has is the epoch that was taken. */
export const epochTaken = ({ ranges }: Server, token: number): boolean => {
  if (ranges.token !== token) return false;
  ranges.token = undefined;
  return true;
};
