/** The links that are measured, and what is measured on each. Pure. */

import type { LinkSettings } from '../../netem/link/settings.ts';

export const WORKS = ['rr1', 'rr32', 'bulk', 'tail', 'first', 'fair', 'flood'] as const;
export type Work = (typeof WORKS)[number];

export interface LinkProfile {
  readonly name: string;
  readonly kind: 'lo' | 'veth' | 'ip';
  /** Of both directions of an IP link. */
  readonly settings?: LinkSettings;
  readonly says: string;
  /** Of rr1, one request at a time on each. */
  readonly connections: number;
  readonly works: readonly Work[];
  /** Both processes on one CPU, whatever `--pin` says. */
  readonly pin?: 'same';
}

const BASIC: readonly Work[] = ['rr1', 'rr32', 'bulk'];

export const LINKS: readonly LinkProfile[] = [
  {
    name: 'one-cpu',
    kind: 'lo',
    says: '127.0.0.1, both processes on one CPU',
    connections: 1,
    works: ['rr1'],
    pin: 'same',
  },
  { name: 'lo', kind: 'lo', says: '127.0.0.1', connections: 1, works: [...BASIC, 'flood'] },
  {
    name: 'veth',
    kind: 'veth',
    says: 'two network namespaces, MTU 1500',
    connections: 1,
    works: BASIC,
  },
  {
    name: 'lan',
    kind: 'ip',
    settings: { delayMs: 0.25, rateMbit: 500, queueMs: 5 },
    says: '0.5 ms round trip, 500 Mbit/s',
    connections: 1,
    works: BASIC,
  },
  {
    name: 'wan',
    kind: 'ip',
    settings: { delayMs: 10, loss: 0.01, rateMbit: 200, queueMs: 20 },
    says: '20 ms, 1 % loss each way, 200 Mbit/s',
    connections: 16,
    works: BASIC,
  },
  {
    name: 'bad',
    kind: 'ip',
    settings: { delayMs: 25, loss: 0.05, rateMbit: 200, queueMs: 50 },
    says: '50 ms, 5 % loss each way, 200 Mbit/s',
    connections: 16,
    works: BASIC,
  },
  {
    name: 'awful',
    kind: 'ip',
    settings: { delayMs: 50, loss: 0.2, rateMbit: 100, queueMs: 100 },
    says: '100 ms, 20 % loss each way, 100 Mbit/s',
    connections: 32,
    works: [...BASIC, 'first'],
  },
  {
    name: 'tail',
    kind: 'ip',
    settings: { delayMs: 10, rateMbit: 200, queueMs: 20 },
    says: '20 ms, 200 Mbit/s, loses what it is told to',
    connections: 1,
    works: ['tail'],
  },
  {
    name: 'shared',
    kind: 'ip',
    settings: { delayMs: 10, rateMbit: 100, queueMs: 20 },
    says: '20 ms, a bottleneck of 100 Mbit/s with a queue of one round trip',
    connections: 1,
    works: ['fair'],
  },
];

/** Nothing is lost there but by full queues: short runs need a warm-up for their figures to stand. */
export const isClean = ({ settings }: LinkProfile): boolean => (settings?.loss ?? 0) === 0;
