/** How long leases and waits are when nobody says otherwise, and which leases make sense. Pure. */

import { UsageError } from './exit_status.ts';
import { formatDuration } from './option_values.ts';

/** Design, section 5. */
export const DEFAULT_LEASE_MS = 400;
export const DEFAULT_MARGIN_MS = 100;
export const DEFAULT_LOST_AFTER_MS = 60_000;
export const DEFAULT_SCRUB_MS = 3_600_000;
export const DEFAULT_SERVER_WAIT_MS = 10_000;

/** With fewer heartbeats to a lease, one that is late ends it. */
const HEARTBEATS_LEAST = 2;
/** With fewer, two that are lost end it. */
const HEARTBEATS_WISE = 4;

/**
 * What to warn of about a lease; undefined if nothing is wrong with it.
 * @throws UsageError if it is shorter than two heartbeats: it would end between them.
 */
export const leaseWarning = (leaseMs: number, heartbeatMs: number): string | undefined => {
  const lease = `--lease ${formatDuration(leaseMs)}`;
  const beat = `--heartbeat ${formatDuration(heartbeatMs)}`;
  if (leaseMs < HEARTBEATS_LEAST * heartbeatMs) {
    const least = formatDuration(HEARTBEATS_LEAST * heartbeatMs);
    throw new UsageError(
      `${lease} is too short for ${beat}: expected at least ${least}, two heartbeats`,
    );
  }
  if (leaseMs >= HEARTBEATS_WISE * heartbeatMs) return undefined;
  const wise = formatDuration(HEARTBEATS_WISE * heartbeatMs);
  return `${lease} is short for ${beat}: a lost heartbeat or two end it; ${wise} would be better`;
};
