/**
 * The right to serve. It ends by itself when the file server does not renew it; what is held stays
 * held. The lease counts from the moment its heartbeat was sent, so that it always ends here before
 * the server takes it to have ended.
 */

import type { Cacher } from './cacher_state.ts';

/** Heartbeats whose answers may still come. */
const OUTSTANDING_LIMIT = 64;

/** True while this node may serve its copies and acknowledge writes. */
export const hasLease = (cacher: Cacher): boolean =>
  cacher.admitted && cacher.now < cacher.leaseUntilMs;

/** Remembers when a heartbeat was sent. */
export const heartbeatSent = (cacher: Cacher, sequence: number): void => {
  cacher.heartbeatsSent.set(sequence, cacher.now);
  if (cacher.heartbeatsSent.size <= OUTSTANDING_LIMIT) return;
  for (const oldest of cacher.heartbeatsSent.keys()) {
    cacher.heartbeatsSent.delete(oldest);
    return;
  }
};

/** The server answered a heartbeat. True if the node had no lease and has one now. */
export const renew = (cacher: Cacher, sequence: number): boolean => {
  const sentMs = cacher.heartbeatsSent.get(sequence);
  if (sentMs === undefined || cacher.registration === undefined) return false;
  for (const each of [...cacher.heartbeatsSent.keys()]) {
    if (each <= sequence) cacher.heartbeatsSent.delete(each);
  }
  cacher.echo = Math.max(cacher.echo, sequence);
  const had = hasLease(cacher);
  cacher.leaseUntilMs = Math.max(cacher.leaseUntilMs, sentMs + cacher.registration.leaseMs);
  return !had && hasLease(cacher);
};

/** A registration, like a heartbeat, counts from when it was asked for. */
export const startLease = (cacher: Cacher, leaseMs: number): void => {
  cacher.heartbeatsSent.clear();
  cacher.echo = 0;
  cacher.leaseUntilMs = cacher.registerSentMs + leaseMs;
};
