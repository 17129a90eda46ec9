/** I/O: measures the path between two nodes by probes of their agents. */

import { randomBytes } from 'node:crypto';
import { FsError, messageOf } from '../protocol/errors.ts';
import type { AgentLink } from './agent_link.ts';
import { longestDelayMs, type Fault } from './fault.ts';
import { missingInWords } from './missing.ts';

/** How probes are sent: how many, how far apart, and how long the last answers are waited for. */
export interface ProbePace {
  readonly count: number;
  readonly everyMs: number;
  readonly waitMs: number;
}

/** What a loaded machine adds to the longest round trip. */
const SLACK_MS = 500;
const LEAST_SPACING_MS = 10;
/** With a rate datagrams keep their order: closer ones would wait for one another's jitter. */
const JITTERS_APART = 2.5;

/** The pace that measures a round trip of two faults without one probe holding up the next. */
export const probePace = (count: number, faults: readonly Fault[]): ProbePace => {
  const longest = Math.max(0, ...faults.map(longestDelayMs));
  const jitter = Math.max(0, ...faults.map(({ jitterMs }) => jitterMs));
  return {
    count,
    everyMs: Math.max(LEAST_SPACING_MS, JITTERS_APART * jitter),
    waitMs: 2 * longest + SLACK_MS,
  };
};

export interface PathMeasure {
  readonly sent: number;
  /** What has come to the other end. */
  readonly arrived: number;
  /** What has come back. */
  readonly returned: number;
  /** Round trips in ms; undefined if nothing came back. */
  readonly meanMs: number | undefined;
  readonly leastMs: number | undefined;
}

/** @throws FsError that names the node: of two it would not be known which. */
const named = <T>({ node }: AgentLink, answer: Promise<T>): Promise<T> =>
  answer.catch((error: unknown) => {
    throw new FsError('ECONNLOST', missingInWords({ node, reason: messageOf(error) }));
  });

/** Sends probes from one agent's node to another's and back. @throws FsError if one is lost. */
export const measurePath = async (
  from: AgentLink,
  to: AgentLink,
  address: string,
  pace: ProbePace,
): Promise<PathMeasure> => {
  const token = randomBytes(4).readUInt32BE();
  const durationMs = pace.count * pace.everyMs + pace.waitMs;
  await named(to, to.ask<'expect'>({ do: 'expect', token, forMs: 2 * durationMs }));
  const request = { do: 'probe', token, peer: address, ...pace } as const;
  const probed = await named(from, from.ask<'probe'>(request, durationMs));
  const { sent, received, meanMs, leastMs } = probed;
  const { count: arrived } = await named(to, to.ask<'arrived'>({ do: 'arrived', token }));
  const none = received === 0;
  return {
    sent,
    arrived,
    returned: received,
    meanMs: none ? undefined : meanMs,
    leastMs: none ? undefined : leastMs,
  };
};
