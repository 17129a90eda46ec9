/** Does I/O: experiment `timeline`: latency over time while a scenario is carried out, its faults drawn as bands. */

import { randomBytes } from 'node:crypto';
import type { CoopFs } from '../../applib/index.ts';
import type { Profile } from '../../netem/fault.ts';
import { bandsOf, type Band, type Scenario } from '../../netem/scenario.ts';
import { parseScenario, readScenario } from '../../netem/scenario_file.ts';
import { percentile } from '../../netem/transports/statistics.ts';
import type { CommandRecord } from '../command_record.ts';
import { judgeHistory } from '../consistency.ts';
import { EXIT } from '../exit_status.ts';
import { Load, overwriting } from '../load.ts';
import { planScenario, runScenario } from '../scenario_run.ts';
import { FILL, impairedBy, leaseFor, withCluster } from './cluster_under_fault.ts';
import { clusterEngine, possible, type Context, type Experiment, type Plan } from './experiment.ts';
import type { Plot } from './plot.ts';

const FILES = Array.from({ length: 12 }, (_, index) => index);
const FILE_BYTES = 1024;
const PAUSE_MS = 15;
const NS_PER_MS = 1e6;
const BUCKET_MS = 250;
/** More dots than that nobody can tell apart, and each is bytes of the report. */
const DOTS_LIMIT = 1200;
/** What else takes time: a cluster that starts and ends. */
const OVERHEAD_S = 6;

/** What the quick run does instead of a scenario of twelve seconds. */
const QUICK = `about: one kill over links that lose 5 %
steps:
  - { at: 500ms, apply: lossy }
  - { at: 1s, kill: n1 }
  - { at: 2s, restart: n1 }
end: 4s
`;

interface Call {
  readonly node: string;
  readonly kind: 'read' | 'write';
  /** Of its beginning, since the scenario began. */
  readonly atMs: number;
  readonly tookMs: number;
  readonly ok: boolean;
}

interface Timeline {
  readonly about: string;
  readonly bands: readonly Band[];
  readonly calls: readonly Call[];
  readonly linearizable: boolean;
  readonly leaseMs: number;
}

const callsOf = (records: readonly CommandRecord[], startNs: bigint): Call[] =>
  records.flatMap(({ node, command, startNs: at, endNs, ok }) =>
    command === 'read' || command === 'write'
      ? [
          {
            node,
            kind: command,
            atMs: Number(at - startNs) / NS_PER_MS,
            tookMs: Number(endNs - at) / NS_PER_MS,
            ok,
          },
        ]
      : [],
  );

const profilesOf = ({ steps }: Scenario): Profile[] =>
  steps.flatMap((step) => (step.do === 'apply' ? [step.profile] : []));

const watch = async (scenario: Scenario, context: Context): Promise<Timeline> => {
  const leaseMs = leaseFor(profilesOf(scenario));
  return withCluster(context, leaseMs, ['--files', '64', '--pages', '512'], async (cluster) => {
    const applications = new Map<string, CoopFs>();
    for (const node of cluster.nodes) applications.set(node, await cluster.at(node));
    const target = impairedBy(cluster, context);
    const id = `experiment.${randomBytes(4).toString('hex')}`;
    const steps = planScenario(scenario, target.nodes, context.seed, id);
    const load = new Load(applications, overwriting(FILES, 0), PAUSE_MS);
    const startNs = process.hrtime.bigint();
    const quiet = (): void => undefined;
    const surroundings = { cluster: target, tell: quiet };
    let records: readonly CommandRecord[] = [];
    try {
      await runScenario(scenario, steps, surroundings, context.signal);
    } finally {
      records = await load.stop();
    }
    const initial = new TextEncoder().encode(FILL.repeat(FILE_BYTES));
    const { status } = judgeHistory(records, () => initial);
    return {
      about: scenario.about,
      bands: bandsOf(scenario),
      calls: callsOf(records, startNs),
      linearizable: status === EXIT.ok,
      leaseMs,
    };
  });
};

/** Few enough dots: all that took long, and some of the others. */
const thinned = (calls: readonly Call[]): readonly Call[] => {
  if (calls.length <= DOTS_LIMIT) return calls;
  const slow = [...calls].sort((a, b) => b.tookMs - a.tookMs).slice(0, DOTS_LIMIT / 3);
  const kept = new Set(slow);
  const every = Math.ceil(calls.length / (DOTS_LIMIT - slow.length));
  return calls.filter((call, index) => kept.has(call) || index % every === 0);
};

/** The median of the calls that began in each piece of time. */
const medians = (calls: readonly Call[]): (readonly [number, number])[] => {
  const buckets = new Map<number, number[]>();
  for (const { atMs, tookMs } of calls) {
    const bucket = Math.floor(atMs / BUCKET_MS);
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), tookMs]);
  }
  return [...buckets]
    .sort(([a], [b]) => a - b)
    .map(([bucket, took]) => [((bucket + 0.5) * BUCKET_MS) / 1000, percentile(took, 0.5)] as const);
};

const plotOf = ({ bands, calls, about }: Timeline): Plot => {
  const answered = calls.filter(({ ok }) => ok);
  const dots = thinned(answered);
  const of = (kind: Call['kind']) =>
    dots
      .filter((call) => call.kind === kind)
      .map(({ atMs, tookMs }) => [atMs / 1000, tookMs] as const);
  return {
    title: about,
    x: { label: 'when the call began, s', from: 0 },
    y: { label: 'how long it took, ms', log: true },
    bands: bands.map(({ label, kind, fromMs, toMs }) => ({
      label,
      kind,
      from: fromMs / 1000,
      to: toMs / 1000,
    })),
    series: [
      { name: 'reads', colour: 0, kind: 'dots', points: of('read') },
      { name: 'writes', colour: 1, kind: 'dots', points: of('write') },
      {
        name: `median of all, each ${BUCKET_MS} ms`,
        colour: 2,
        kind: 'line',
        points: medians(answered),
      },
    ],
  };
};

const says = ({ calls, linearizable, leaseMs }: Timeline): string[] => {
  const failed = calls.filter(({ ok }) => !ok).length;
  return [
    'Applications on four nodes read and overwrite the same files while a scenario is carried out ("coopfs netem run"). Each ' +
      'dot is a call, where it began; how high it is, how long it took. Bands are the faults, as the scenario has them.',
    `A call that needs a file of a node that is gone waits for its lease (${leaseMs} ms) and margin; calls on other files go on. ` +
      'A node that was killed serves again a while after its band: its process starts, and waits for the lease of its old self. ' +
      `${calls.length} calls, ${failed} of them failed, as those of applications do whose own node is down. ` +
      `The history is ${linearizable ? '' : 'NOT '}linearizable.`,
  ];
};

const planOf = (context: Context): Plan => {
  const scenario = context.quick
    ? parseScenario(QUICK, 'the quick scenario')
    : readScenario(context.scenario);
  const { leftOut } = possible(profilesOf(scenario), context.lacking);
  const isPossible = leftOut.length === 0;
  let found: Timeline | undefined;
  return {
    leftOut,
    steps: (isPossible ? [scenario] : []).map(() => ({
      label: scenario.about,
      seconds: OVERHEAD_S + scenario.endMs / 1000,
      run: async () => {
        found = await watch(scenario, context);
        if (!found.linearizable) throw new Error('the history is not linearizable');
      },
    })),
    section: () => ({
      says: found === undefined ? [] : says(found),
      plots: found === undefined ? [] : [plotOf(found)],
      tables: [],
      data: found === undefined ? [] : { ...found, calls: found.calls.map(rounded) },
    }),
  };
};

const rounded = ({ node, kind, atMs, tookMs, ok }: Call) => [
  node,
  kind,
  Number(atMs.toFixed(1)),
  Number(tookMs.toFixed(2)),
  ok,
];

export const TIMELINE_EXPERIMENT: Experiment = {
  name: 'timeline',
  title: 'Latency over time',
  unavailable: clusterEngine,
  plan: planOf,
};
