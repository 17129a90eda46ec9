/** The network of a run: rudp over bad links, or links as rudp promises them. */

import { DirectNetwork } from './direct_network.ts';
import { faultOf } from '../../netem/fault.ts';
import { leaseNeededMs } from '../../netem/lease_fit.ts';
import { profileNamed } from '../../netem/profile_file.ts';
import type { EventQueue } from './event_queue.ts';
import type { Prng } from './prng.ts';
import { RudpNetwork } from './rudp_network.ts';
import type { SimulationOptions } from './simulation_options.ts';

const MAX_DELAY_MS = 20;

/** The lease of a run: its own, or what its profile needs. */
export const leaseFor = ({ leaseMs, profile }: SimulationOptions): number => {
  if (profile === undefined) return leaseMs;
  return Math.max(leaseMs, leaseNeededMs(faultOf(profileNamed(profile), 'up')));
};

export const makeNetwork = (
  options: SimulationOptions,
  queue: EventQueue,
  random: Prng,
): DirectNetwork | RudpNetwork => {
  const { links, loss, duplicate, reorder, corrupt } = options;
  if (links === 'direct') {
    return new DirectNetwork(queue, random.next, { maxDelayMs: MAX_DELAY_MS });
  }
  if (options.profile !== undefined) {
    return new RudpNetwork(queue, random, { profile: profileNamed(options.profile) }, options);
  }
  const apart = options.apart ? ['n1', 'n2'] : [];
  const delays = { delayMs: 0.5, jitterMs: MAX_DELAY_MS / 2, reorderMs: MAX_DELAY_MS };
  const profile = { ...delays, loss, duplicate, reorder, corrupt };
  return new RudpNetwork(queue, random, profile, options, apart);
};
