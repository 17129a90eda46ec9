/** Does I/O: experiment `reprotect`: from kill -9 of a node until every dirty file is on two nodes again. */

import type { CoopFs } from '../../applib/index.ts';
import { faultInWords } from '../../netem/fault_words.ts';
import { faultOf, type Profile } from '../../netem/fault.ts';
import { profileNamed } from '../../netem/profile_file.ts';
import { median } from '../../netem/transports/statistics.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { isProtected, type ProcessCluster } from '../process_cluster.ts';
import { leaseFor, underProfile, withCluster } from './cluster_under_fault.ts';
import { clusterEngine, possible, type Context, type Experiment, type Plan } from './experiment.ts';
import { shortNumber, type Series } from './plot.ts';
import type { Table } from './report.ts';

const VICTIM = 'n1' as NodeId;
/** Writes under way at a time. */
const AT_ONCE = 32;
const COUNTS = [16, 64, 256] as const;
const KILLS = 3;
const NO_PROFILE = 'no fault';
const PROFILES = ['wifi', 'wifi-bad'] as const;

export interface Reprotection {
  readonly profile: string;
  readonly leaseMs: number;
  readonly dirtyFiles: number;
  /** From the kill until the server says so, as seen by a poll every few ms. */
  readonly sinceKillMs: number;
  /** From the last heartbeat that the server heard of the node: its own figure. */
  readonly sinceHeartbeatMs: number;
}

/** Makes the victim the owner of so many dirty files. */
const dirty = async (fs: CoopFs, count: number): Promise<void> => {
  for (let first = 0; first < count; first += AT_ONCE) {
    const files = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, at) => first + at);
    await Promise.all(
      files.map(async (number) => {
        const file = await fs.open(number, 'w');
        await file.write('dirty');
        await file.close();
      }),
    );
  }
};

const killOnce = async (
  cluster: ProcessCluster,
  fs: CoopFs,
  count: number,
): Promise<Pick<Reprotection, 'sinceKillMs' | 'sinceHeartbeatMs'>> => {
  await dirty(fs, count);
  await cluster.settled();
  const startMs = performance.now();
  await cluster.kill(VICTIM);
  const after = await cluster.statusWhen(
    'the node is taken for lost, and every dirty file is on two nodes again',
    (status) => isProtected(status) && status.members.every(({ node }) => node !== VICTIM),
  );
  const sinceKillMs = performance.now() - startMs;
  await cluster.restart();
  await cluster.settled();
  return { sinceKillMs, sinceHeartbeatMs: after.lastReprotectionMs ?? Number.NaN };
};

const measure = async (
  profile: Profile | undefined,
  counts: readonly number[],
  kills: number,
  context: Context,
  take: (found: Reprotection) => void,
): Promise<void> => {
  const leaseMs = leaseFor([profile]);
  const flags = ['--files', '512', '--pages', '8192', '--writeback-interval', '10m'];
  await withCluster(context, leaseMs, flags, async (cluster) => {
    const fs = await cluster.at(VICTIM);
    await underProfile(cluster, profile, context, async () => {
      for (const dirtyFiles of counts) {
        for (let kill = 0; kill < kills; kill += 1) {
          const times = await killOnce(cluster, fs, dirtyFiles);
          take({ profile: profile?.name ?? NO_PROFILE, leaseMs, dirtyFiles, ...times });
        }
      }
    });
  });
};

interface Group {
  readonly profile: string;
  readonly dirtyFiles: number;
  readonly all: readonly Reprotection[];
}

const groupsOf = (found: readonly Reprotection[]): Group[] => {
  const groups = new Map<string, Reprotection[]>();
  for (const each of found) {
    const key = `${each.profile} ${each.dirtyFiles}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()].flatMap((all) => {
    const [first] = all;
    return first === undefined
      ? []
      : [{ profile: first.profile, dirtyFiles: first.dirtyFiles, all }];
  });
};

const seriesOf = (found: readonly Reprotection[]): Series[] => {
  const profiles = [...new Set(found.map(({ profile }) => profile))];
  const groups = groupsOf(found);
  return profiles.flatMap((profile, colour): Series[] => [
    {
      name: `${profile}, median`,
      colour,
      kind: 'line',
      points: groups
        .filter((group) => group.profile === profile)
        .map(({ dirtyFiles, all }) => [dirtyFiles, median(all.map((each) => each.sinceKillMs))]),
    },
    {
      name: `${profile}, each kill`,
      colour,
      kind: 'dots',
      points: found
        .filter((each) => each.profile === profile)
        .map(({ dirtyFiles, sinceKillMs }) => [dirtyFiles, sinceKillMs]),
    },
  ]);
};

const tableOf = (found: readonly Reprotection[]): Table => ({
  head: [
    'profile',
    'lease ms',
    'dirty files',
    'kills',
    'since the kill: median ms',
    'greatest',
    "since its last heartbeat, server's own: median",
  ],
  rows: groupsOf(found).map(({ profile, dirtyFiles, all }) => {
    const since = all.map((each) => each.sinceKillMs);
    return [
      profile,
      String(all[0]?.leaseMs ?? ''),
      String(dirtyFiles),
      String(all.length),
      shortNumber(median(since)),
      shortNumber(Math.max(...since)),
      shortNumber(median(all.map((each) => each.sinceHeartbeatMs))),
    ];
  }),
});

const says = (): string[] => [
  'A node owns so many dirty files, each of them with a second copy on another node. It is killed (kill -9). Its copies are ' +
    'made good when the server has seen that it is gone: that takes its lease and margin, counted from its last heartbeat. ' +
    'Then every file gets a new second copy, over links that have the profile.',
  'What is above lease and margin is the work; it grows with the number of files and with the round trip. The lease of each ' +
    'cluster is four round trips of its profile at least.',
];

const planOf = (context: Context): Plan => {
  const found: Reprotection[] = [];
  const counts = context.quick ? [64] : COUNTS;
  const kills = context.quick ? 2 : KILLS;
  const wished = context.quick ? [] : PROFILES.map((name) => profileNamed(name));
  const { profiles, leftOut } = possible(wished, context.lacking);
  const steps = [undefined, ...profiles].map((profile) => {
    const fault =
      profile === undefined
        ? NO_PROFILE
        : `${profile.name}: ${faultInWords(faultOf(profile, 'up'))}`;
    return {
      label: `${fault}, ${counts.length * kills} kills`,
      seconds: 5 + counts.length * kills * (2.5 + leaseFor([profile]) / 1000),
      run: () => measure(profile, counts, kills, context, (each) => found.push(each)),
    };
  });
  return {
    steps,
    leftOut,
    section: () => ({
      says: says(),
      plots:
        found.length === 0
          ? []
          : [
              {
                title: 'From the kill until every dirty file is on two nodes again',
                x: { label: 'dirty files of the node that was killed', log: true },
                y: { label: 'ms', from: 0 },
                series: seriesOf(found),
              },
            ],
      tables: found.length === 0 ? [] : [tableOf(found)],
      data: found,
    }),
  };
};

export const REPROTECT_EXPERIMENT: Experiment = {
  name: 'reprotect',
  title: 'Time to re-protect',
  unavailable: clusterEngine,
  plan: planOf,
};
