/** Experiments `loss` and `rtt`: rudp beside TCP over the same link, which gets worse. */

import { linkUnavailable, tcpCongestionControls } from '../../netem/link/ip_link.ts';
import { linkEngine, type Context, type Experiment, type Plan } from './experiment.ts';
import {
  CONNECTIONS,
  measurePoint,
  QUEUE_MS,
  RATE_MBIT,
  type LinkPoint,
  type Transport,
} from './link_point.ts';
import { shortNumber, type Axis, type Plot, type Series } from './plot.ts';
import type { Table } from './report.ts';

const RTT_MS = 40;
const LOSS = 0.01;
const PERCENT = 100;
const PHASE_MS = 2500;
const QUICK_PHASE_MS = 1000;
/** Processes that start, and connect. */
const OVERHEAD_S = 2;

interface Sweep {
  readonly axis: Axis;
  readonly values: readonly number[];
  readonly quickValues: readonly number[];
  readonly at: (value: number) => { readonly rttMs: number; readonly loss: number };
  readonly xOf: (point: LinkPoint) => number;
  readonly label: (value: number) => string;
  readonly fixed: string;
}

const LOSSES: Sweep = {
  axis: { label: 'packets lost in each direction, %', from: 0 },
  values: [0, 1, 2, 5, 10, 15, 20, 25, 30],
  quickValues: [1, 20],
  at: (value) => ({ rttMs: RTT_MS, loss: value / PERCENT }),
  xOf: ({ loss }) => loss * PERCENT,
  label: (value) => `${value} % loss`,
  fixed: `a round trip of ${RTT_MS} ms`,
};

const ROUND_TRIPS: Sweep = {
  axis: { label: 'round trip, ms', from: 0 },
  values: [0, 20, 50, 100, 150, 200, 300],
  quickValues: [200],
  at: (value) => ({ rttMs: value, loss: LOSS }),
  xOf: ({ rttMs }) => rttMs,
  label: (value) => `${value} ms`,
  fixed: `${LOSS * PERCENT} % of all packets lost in each direction`,
};

/** rudp, and TCP with what the kernel has of its two usual congestion controls. */
const transports = (quick: boolean): Transport[] => {
  const kernel = tcpCongestionControls();
  const all: Transport[] = [
    { name: 'rudp', module: 'rudp' },
    { name: 'TCP (CUBIC)', module: 'tcp', congestion: 'cubic' },
    { name: 'TCP (BBR)', module: 'tcp', congestion: 'bbr' },
  ];
  const there = all.filter(
    ({ congestion }) => congestion === undefined || kernel.includes(congestion),
  );
  return quick ? there.slice(0, 2) : there;
};

type Figure = Exclude<keyof LinkPoint, 'transport'>;

/** A figure of every transport, in the order in which the transports were measured first. */
const seriesOf = (
  points: readonly LinkPoint[],
  xOf: Sweep['xOf'],
  figures: readonly { readonly figure: Figure; readonly name: string; readonly times?: number }[],
): Series[] => {
  const names = [...new Set(points.map(({ transport }) => transport))];
  return names.flatMap((transport, colour) =>
    figures.map(({ figure, name, times = 1 }, index) => ({
      name: figures.length === 1 ? transport : `${transport}, ${name}`,
      colour,
      kind: index === 0 ? ('line' as const) : ('dashed' as const),
      points: points
        .filter((point) => point.transport === transport)
        .map((point) => [xOf(point), times * point[figure]] as const),
    })),
  );
};

const plotsOf = (points: readonly LinkPoint[], { axis: x, xOf }: Sweep): Plot[] => [
  {
    title: 'Goodput',
    x,
    y: { label: 'Mbit/s', from: 0 },
    series: seriesOf(points, xOf, [{ figure: 'goodputMbit', name: '' }]),
  },
  {
    title: 'Latency of requests: median, and 99th percentile (dashed)',
    x,
    y: { label: 'ms', log: true },
    series: seriesOf(points, xOf, [
      { figure: 'p50Ms', name: 'p50' },
      { figure: 'p99Ms', name: 'p99' },
    ]),
  },
  {
    title: 'Packets sent again',
    x,
    y: { label: '% of packets sent', from: 0 },
    series: seriesOf(points, xOf, [{ figure: 'repeated', name: '', times: PERCENT }]),
  },
  {
    title: 'Of these, needlessly: the first one had arrived',
    x,
    y: { label: '% of packets sent', from: 0, to: 1 },
    series: seriesOf(points, xOf, [{ figure: 'spurious', name: '', times: PERCENT }]),
  },
];

const tableOf = (points: readonly LinkPoint[], { axis, xOf }: Sweep): Table => ({
  head: [
    'transport',
    axis.label,
    'Mbit/s',
    'again %',
    'needlessly %',
    'p50 ms',
    'p90 ms',
    'p99 ms',
    'requests',
  ],
  rows: points.map((point) => [
    point.transport,
    shortNumber(xOf(point)),
    shortNumber(point.goodputMbit),
    shortNumber(PERCENT * point.repeated),
    shortNumber(PERCENT * point.spurious),
    ...[point.p50Ms, point.p90Ms, point.p99Ms].map(shortNumber),
    shortNumber(point.requests),
  ]),
});

const says = (sweep: Sweep, ms: number): string[] => [
  `Two processes, each in a network namespace of its own, and between them an IP link of ${RATE_MBIT} Mbit/s with ` +
    `a queue of ${QUEUE_MS} ms and ${sweep.fixed}. All transports take the same link, one after the other, and dice ` +
    'that begin with the same seed.',
  `Goodput: messages of 64 KiB one way on one connection, what arrives in ${ms / 1000} s once the sender has found its ` +
    `rate. Latency: requests of 128 bytes and answers of 1 KiB, one at a time on each of ${CONNECTIONS} connections, ` +
    'which were made before anything was lost.',
  'Sent again: segments that TCP retransmits, and packets that rudp declares lost and whose contents it sends anew. ' +
    'Needlessly: duplicate acknowledgements (DSACK) for TCP; for rudp packets declared lost that arrived after all.',
];

const planOf = (sweep: Sweep, { seed, quick, signal }: Context): Plan => {
  const points: LinkPoint[] = [];
  const ms = quick ? QUICK_PHASE_MS : PHASE_MS;
  const values = quick ? sweep.quickValues : sweep.values;
  const seconds = OVERHEAD_S + (2 * (ms + 1000)) / 1000;
  const steps = transports(quick).flatMap((transport) =>
    values.map((value) => ({
      label: `${transport.name}, ${sweep.label(value)}`,
      seconds,
      run: async () => {
        points.push(await measurePoint(transport, sweep.at(value), ms, seed, signal));
      },
    })),
  );
  return {
    steps,
    section: () => ({
      says: says(sweep, ms),
      plots: points.length === 0 ? [] : plotsOf(points, sweep),
      tables: points.length === 0 ? [] : [tableOf(points, sweep)],
      data: points,
    }),
  };
};

const experiment = (name: string, title: string, sweep: Sweep): Experiment => ({
  name,
  title,
  unavailable: (engine) => {
    const reason = linkUnavailable();
    const link = reason === undefined ? undefined : `its link cannot be had: ${reason}`;
    return linkEngine(engine) ?? link;
  },
  plan: (context) => planOf(sweep, context),
});

export const LOSS_EXPERIMENT = experiment('loss', 'rudp and TCP against loss', LOSSES);
export const RTT_EXPERIMENT = experiment('rtt', 'rudp and TCP against round trips', ROUND_TRIPS);
