/** The goals of rudp: which figure, on which link, beside which peer, and how far. Pure. */

import type { Work } from './links.ts';

export interface Goal {
  readonly link: string;
  readonly work: Work;
  readonly peer: string;
  /** As a workload names it. */
  readonly figure: string;
  /** The peer whose figure of the same run it is divided by; undefined: the figure itself counts. */
  readonly than?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What the headers of packets of 1,500 bytes and the repetition of what is lost take at least. */
const LEAST_WIRE = { wan: 1.04, bad: 1.09, awful: 1.29 };
const WIRE_SHARE = 1.08;
const LINKS_WITH_CPU_GOAL = ['lo', 'veth', 'lan', 'wan', 'bad', 'awful'];

const goal = (
  link: string,
  work: Work,
  figure: string,
  bound: { atLeast?: number; atMost?: number },
  than?: string,
  peer = 'rudp',
): Goal => ({ link, work, peer, figure, ...bound, ...(than === undefined ? {} : { than }) });

export const GOALS: readonly Goal[] = [
  goal('one-cpu', 'rr1', 'requestsPerSecond', { atLeast: 0.5 }, 'dgram'),
  goal('one-cpu', 'rr1', 'requestsPerSecond', { atLeast: 0.85 }, 'dgram', 'rudp:insecure'),
  goal('lo', 'rr32', 'requestsPerSecond', { atLeast: 1 }, 'tcp'),
  goal('veth', 'rr32', 'requestsPerSecond', { atLeast: 1 }, 'tcp'),
  goal('lo', 'bulk', 'mbPerSecond', { atLeast: 0.6 }, 'tcp'),
  goal('lo', 'bulk', 'mbPerSecond', { atLeast: 1.2 }, 'tcp', 'rudp:insecure'),
  goal('veth', 'bulk', 'mbPerSecond', { atLeast: 1 }, 'udx'),
  goal('veth', 'bulk', 'mbPerSecond', { atLeast: 1.2 }, 'udx', 'rudp:insecure'),
  goal('wan', 'rr1', 'p99Ms', { atMost: 0.6 }, 'kcp'),
  goal('wan', 'rr32', 'requestsPerSecond', { atLeast: 1.2 }, 'kcp'),
  goal('wan', 'bulk', 'mbPerSecond', { atLeast: 1 }, 'tcp'),
  goal('bad', 'rr1', 'p99Ms', { atMost: 0.6 }, 'kcp'),
  goal('bad', 'rr32', 'requestsPerSecond', { atLeast: 1.4 }, 'kcp'),
  goal('bad', 'rr32', 'p99Ms', { atMost: 0.6 }, 'kcp'),
  goal('bad', 'bulk', 'mbPerSecond', { atLeast: 1.2 }, 'tcp'),
  goal('awful', 'rr1', 'p99Ms', { atMost: 0.5 }, 'kcp'),
  goal('awful', 'rr32', 'requestsPerSecond', { atLeast: 1.6 }, 'kcp'),
  goal('awful', 'bulk', 'mbPerSecond', { atLeast: 1.7 }, 'kcp'),
  ...LINKS_WITH_CPU_GOAL.map((link) => goal(link, 'rr32', 'cpuPer10k', { atMost: 1.2 }, 'tcp')),
  ...Object.entries(LEAST_WIRE).map(([link, least]) =>
    goal(link, 'bulk', 'wirePerByte', { atMost: least * WIRE_SHARE }),
  ),
  goal('tail', 'tail', 'worstMedianMs', { atMost: 65 }),
  goal('awful', 'first', 'p99Ms', { atMost: 700 }),
  goal('shared', 'fair', 'unevenness', { atMost: 0.1 }),
  goal('shared', 'fair', 'besideCubic', { atMost: 0.7 }),
  goal('lo', 'flood', 'slowdown', { atMost: 0.1 }),
  goal('lo', 'flood', 'stateLeft', { atMost: 0 }),
];
