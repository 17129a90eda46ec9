/** Whether a cluster's lease outlives a profile. Pure. */

import type { Fault } from './fault.ts';

/** Design, section 5: a lease is at least four round trips of the slowest link. */
const ROUND_TRIPS = 4;

/** Jitters beyond the delay that a slow datagram takes. */
const SLOW = 2;

/** The shortest lease that a fault in both directions allows, in ms. */
export const leaseNeededMs = ({ delayMs, jitterMs }: Fault): number =>
  ROUND_TRIPS * 2 * (delayMs + SLOW * jitterMs);

/** What to warn of; undefined if the lease is long enough. */
export const leaseWarning = (name: string, fault: Fault, leaseMs: number): string | undefined => {
  const needed = Math.ceil(leaseNeededMs(fault) / 100) * 100;
  if (leaseMs >= leaseNeededMs(fault)) return undefined;
  return (
    `warning: the lease of this cluster is ${leaseMs} ms, four round trips of ${name} take up to ` +
    `${needed} ms: nodes will lose their leases; start it with --lease ${needed}ms, ` +
    `a cluster in containers with COOPFS_LEASE=${needed}ms`
  );
};
