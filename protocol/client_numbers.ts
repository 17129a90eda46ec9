/**
 * Numbers for applications, each given once in the life of a volume, so that an outcome names one write (rule 4): an
 * epoch, the registration in it and a count. A server that has used up the registrations of its epoch goes on with
 * those of a further one (fileserver/client_ranges.ts); terms end with the same epoch as these numbers.
 */

import { assert } from './assert.ts';
import type { ClientId } from './ids.ts';

/** Applications that one registration can number. */
export const CLIENTS_PER_REGISTRATION = 2 ** 24;
export const REGISTRATIONS_PER_EPOCH = 2 ** 8;
/** The first epoch is 1. */
const LAST_EPOCH = 2 ** 21;

/** The first number of a registration. */
export const firstClientNumber = (epoch: number, registration: number): ClientId => {
  assert(epoch >= 1 && epoch <= LAST_EPOCH, `epoch ${epoch} is beyond the last, ${LAST_EPOCH}`);
  assert(registration < REGISTRATIONS_PER_EPOCH, 'an epoch has numbers for so many registrations');
  const range = (epoch - 1) * REGISTRATIONS_PER_EPOCH + registration;
  return (range * CLIENTS_PER_REGISTRATION) as ClientId;
};
