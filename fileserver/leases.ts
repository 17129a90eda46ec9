/**
 * The file server's side of the leases: a member that cannot be heard, or does not hear, gets no more
 * renewals; it is lost when the lease it may believe in is over, and a margin for clocks that drift.
 */

import type { MemberRecord, Server } from './server_state.ts';

/** What a member's clock may lag behind ours: a quarter of the lease covers a drift of 10 %. */
const MARGIN_SHARE = 0.25;

/** Of a lease: that of this life of the server, unless another one is waited for. */
export const marginMs = ({ options }: Server, leaseMs = options.leaseMs): number =>
  Math.max(options.marginMs, leaseMs * MARGIN_SHARE);

/**
 * Takes the echo that a heartbeat brings. False if the member does not seem to hear our answers: it
 * must not be renewed, or it would never be given up.
 */
export const mayRenew = (server: Server, member: MemberRecord, echo: number): boolean => {
  const heardMs = member.acksSent.get(echo);
  if (heardMs !== undefined) {
    member.heardMs = Math.max(member.heardMs, heardMs);
    for (const each of [...member.acksSent.keys()]) {
      if (each <= echo) member.acksSent.delete(each);
    }
  }
  return server.now < member.heardMs + server.options.leaseMs;
};

/** A renewal goes out. */
export const renewed = (server: Server, member: MemberRecord, sequence: number): void => {
  member.acksSent.set(sequence, server.now);
  member.renewedMs = server.now;
};

/** When the member is lost, unless it is renewed before. */
export const lostAtMs = (server: Server, member: MemberRecord): number =>
  member.renewedMs + server.options.leaseMs + marginMs(server);

/**
 * A server that stood still itself cannot tell who was silent: what members sent meanwhile is still
 * in its socket. All waits start again.
 */
export const afterPause = (server: Server, lateMs: number): void => {
  for (const newcomer of server.newcomers.values()) {
    newcomer.sinceMs = server.now;
    newcomer.ticks = 0;
  }
  for (const [file, sinceMs] of server.unavailableSince) {
    server.unavailableSince.set(file, sinceMs + lateMs);
  }
  for (const member of server.members.values()) {
    member.renewedMs = server.now;
    member.heardMs = server.now;
    member.acksSent.clear();
  }
};
