/**
 * Numbers for applications, each given once in the life of a volume, so that an outcome names one write
 * (rule 4): the epoch, the registration in it (0 is the server itself, for applications without a
 * cacher) and a count.
 */

import type { ClientId } from './ids.ts';

/** Applications that one registration can number. */
export const CLIENTS_PER_REGISTRATION = 2 ** 24;
const REGISTRATIONS_PER_EPOCH = 2 ** 14;
/** After this many starts of the server numbers come again; outcomes are forgotten long before. */
const EPOCHS = 2 ** 15;

/** The first number of a registration. */
export const firstClientNumber = (epoch: number, registration: number): ClientId =>
  (((epoch % EPOCHS) * REGISTRATIONS_PER_EPOCH + (registration % REGISTRATIONS_PER_EPOCH)) *
    CLIENTS_PER_REGISTRATION) as ClientId;
