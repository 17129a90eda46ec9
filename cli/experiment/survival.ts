/** Does I/O: experiment `survival`: nodes are killed under every profile; is every acknowledged write still there? */

import { setTimeout as pause } from 'node:timers/promises';
import { faultOf, type Profile } from '../../netem/fault.ts';
import { profileNamed, readProfiles } from '../../netem/profile_file.ts';
import { SERVER, type NodeId } from '../../protocol/ids.ts';
import type { CoopFs } from '../../applib/index.ts';
import type { CommandRecord } from '../command_record.ts';
import { judgeHistory } from '../consistency.ts';
import { EXIT } from '../exit_status.ts';
import { Load, longestWait, overwriting, readAll, TEXT_BYTES } from '../load.ts';
import type { ProcessCluster } from '../process_cluster.ts';
import { percentile } from '../../netem/transports/statistics.ts';
import { FILL, leaseFor, underProfile, withCluster } from './cluster_under_fault.ts';
import { clusterEngine, possible, type Context, type Experiment, type Plan } from './experiment.ts';
import { acknowledged, lostWrites } from './lost_writes.ts';
import { simulatedPlan } from './simulated_survival.ts';
import { simulatorMissing } from './simulator.ts';
import { survivalPlots, survivalTables, type Survival } from './survival_figures.ts';

const FILES = Array.from({ length: 12 }, (_, index) => index);
const FILE_BYTES = 1024;
const PAUSE_MS = 10;
const NS_PER_MS = 1e6;
const APPLICATIONS_A_NODE = 2;
/** Load before a kill; on slow links so many round trips, so that there are writes to lose. */
const BEFORE_KILL_MS = 700;
const BEFORE_KILL_ROUND_TRIPS = 12;
/** Load before the node is started again. */
const BEFORE_START_MS = 700;
const VICTIMS = ['n1' as NodeId, 'n3' as NodeId];

interface Lived {
  readonly records: readonly CommandRecord[];
  readonly longestWaitMs: number;
}

/** Load on all nodes, and one kill after the other when all is on two nodes. */
const live = async (
  cluster: ProcessCluster,
  applications: ReadonlyMap<string, CoopFs>,
  victims: readonly NodeId[],
  beforeKillMs: number,
): Promise<Lived> => {
  const all: CommandRecord[] = [];
  let longestWaitMs = 0;
  for (const [round, victim] of victims.entries()) {
    const load = new Load(applications, overwriting(FILES, round), PAUSE_MS);
    let killedNs = 0n;
    let records: readonly CommandRecord[] = [];
    try {
      await pause(beforeKillMs);
      await cluster.settled();
      killedNs = process.hrtime.bigint();
      await cluster.kill(victim);
      await pause(BEFORE_START_MS);
      await cluster.restart();
      await cluster.settled();
    } finally {
      records = await load.stop();
    }
    all.push(...records);
    longestWaitMs = Math.max(
      longestWaitMs,
      longestWait(records, killedNs, (application) => !application.startsWith(`${victim}.`)),
    );
  }
  return { records: all, longestWaitMs };
};

const survive = async (profile: Profile, context: Context): Promise<Survival> => {
  const leaseMs = leaseFor([profile]);
  const flags = ['--files', '64', '--pages', '512'];
  return withCluster(context, leaseMs, flags, async (cluster) => {
    const applications = new Map<string, CoopFs>();
    for (const node of cluster.nodes) {
      for (let number = 1; number <= APPLICATIONS_A_NODE; number += 1) {
        applications.set(`${node}.${number}`, await cluster.at(node));
      }
    }
    const rttMs = 2 * faultOf(profile, 'up').delayMs;
    const beforeKillMs = Math.max(BEFORE_KILL_MS, BEFORE_KILL_ROUND_TRIPS * rttMs);
    const victims = context.quick ? VICTIMS.slice(0, 1) : VICTIMS;
    const { records, longestWaitMs } = await underProfile(cluster, profile, context, () =>
      live(cluster, applications, victims, beforeKillMs),
    );
    const { lostFiles } = await cluster.settled();
    const reads = await readAll(SERVER, await cluster.at(SERVER), FILES, TEXT_BYTES);
    const last = new Map(
      reads.flatMap(({ file, data }) =>
        file === undefined || data === undefined ? [] : [[file, data] as const],
      ),
    );
    const initial = new TextEncoder().encode(FILL.repeat(FILE_BYTES));
    const { status, lines } = judgeHistory([...records, ...reads], () => initial);
    const writes = acknowledged(records);
    const latencies = writes.map(({ startNs, endNs }) => Number(endNs - startNs) / NS_PER_MS);
    return {
      profile: profile.name,
      leaseMs,
      rttMs,
      kills: victims.length,
      operations: records.filter(({ command }) => command === 'read' || command === 'write').length,
      acknowledged: writes.length,
      lost: Math.max(lostFiles.length, lostWrites(records, last)),
      linearizable: status === EXIT.ok,
      verdict: lines.join('\n'),
      writeP50Ms: percentile(latencies, 0.5),
      writeP99Ms: percentile(latencies, 0.99),
      longestWaitMs,
    };
  });
};

const says = (): string[] => [
  'A file server and four caching nodes as processes. Two applications on each node read and overwrite the same ' +
    `${FILES.length} files; every link has the profile. When every dirty file is on two nodes, a node is killed (kill -9) ` +
    'under load and started again a moment later. At the end all files are read, and the whole history has to be linearizable.',
  'Lost are acknowledged writes that a last read should show, or something later, and does not. The promise is 0: a write is ' +
    'acknowledged when two memories hold it. Leases are four round trips of the profile, so that on slow links a dead node ' +
    'is noticed later; who needs a file of it waits until then.',
];

const planOf = (context: Context): Plan => {
  const found: Survival[] = [];
  const wished = context.quick ? [profileNamed('lossy')] : readProfiles();
  const { profiles, leftOut } = possible(wished, context.lacking);
  const steps = profiles.map((profile) => ({
    label: `${profile.name}, ${context.quick ? 1 : VICTIMS.length} kills`,
    seconds: 8 + (leaseFor([profile]) / 1000) * (context.quick ? 2 : 6),
    run: async () => {
      const survival = await survive(profile, context);
      found.push(survival);
      const { lost, linearizable, verdict } = survival;
      if (lost > 0 || !linearizable) throw new Error(`${lost} writes lost, ${verdict}`);
    },
  }));
  return {
    steps,
    leftOut,
    section: () => ({
      says: says(),
      plots: survivalPlots(found, 'ms'),
      tables: survivalTables(found),
      data: found,
    }),
  };
};

export const SURVIVAL_EXPERIMENT: Experiment = {
  name: 'survival',
  title: 'Two copies survive kills',
  unavailable: (engine) => (engine === 'sim' ? simulatorMissing() : clusterEngine(engine)),
  plan: (context) => (context.engine === 'sim' ? simulatedPlan(context) : planOf(context)),
};
