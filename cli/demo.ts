/** `coopfs demo`: a whole cluster at work in a temporary folder, with and without caching daemons. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Daemon } from './application_messages.ts';
import { print, runs, withExamples } from './action.ts';
import {
  callTable,
  durabilityVerdict,
  readsLine,
  sideBySide,
  summarise,
  type RunSummary,
} from './call_summary.ts';
import {
  clusterKeySource,
  clusterPaths,
  readClusterConfig,
  serverAddress,
} from './cluster_config.ts';
import { keySourceOf, type KeySource } from './cluster_key.ts';
import { bringDown } from './cluster_down.ts';
import { bringUp, type ClusterWish, type UpReport } from './cluster_up.ts';
import { recordAsText, type CommandRecord } from './command_record.ts';
import { judgeHistory } from './consistency.ts';
import { cooperationSentence } from './cooperation.ts';
import { DEMO_NODES, demoSet, type DemoNode } from './demo_sets.ts';
import { EXIT, type ExitStatus } from './exit_status.ts';
import { geometryInWords } from './format.ts';
import { initialContents } from './initial_contents.ts';
import { untilInterrupted } from './interruption.ts';
import {
  DEFAULT_LEASE_MS,
  DEFAULT_LOST_AFTER_MS,
  DEFAULT_MARGIN_MS,
  DEFAULT_SCRUB_MS,
  DEFAULT_SERVER_WAIT_MS,
} from './lease_terms.ts';
import { declareOptions, resolveOptions } from './options.ts';
import { parseRequestSet } from './request_set.ts';
import { filesNamed, outcomeLine, statusOfRun } from './run.ts';
import { runSets, type NodeSet } from './run_sets.ts';

const wishOf = (key: KeySource | undefined): ClusterWish => ({
  cachers: DEMO_NODES.length,
  namespaces: false,
  pages: 32,
  basePort: undefined,
  key,
  geometry: { files: 256, blockSizeBytes: 128, blocksPerFile: 8 },
  fill: undefined,
  serverPages: 128,
  openPolicy: 'share',
  heartbeatMs: 100,
  leaseMs: DEFAULT_LEASE_MS,
  marginMs: DEFAULT_MARGIN_MS,
  lostAfterMs: DEFAULT_LOST_AFTER_MS,
  degradedPolicy: 'write-through',
  scrubMs: DEFAULT_SCRUB_MS,
  serverWaitMs: DEFAULT_SERVER_WAIT_MS,
  writebackIntervalMs: 30_000,
  logLevel: 'info',
});

interface Part {
  readonly summary: RunSummary;
  readonly status: ExitStatus;
}

const commandsOf = (node: DemoNode): NodeSet['commands'] => {
  const set = parseRequestSet(demoSet(node), node);
  if (!set.ok) throw new Error(set.errors.join('\n'));
  return set.commands;
};

/** The file server as applications without a cacher reach it. */
const serverOf = ({ config, paths }: UpReport): Daemon => ({
  server: serverAddress(config),
  ...clusterKeySource(paths, config),
});

/** Runs the four sets on a cluster that is up, prints what came of it, and judges it. */
const runDemoSets = async (
  targets: (node: DemoNode) => Daemon,
  up: UpReport,
  onRecord: (record: CommandRecord) => void,
  signal: AbortSignal,
): Promise<Part> => {
  const sets = DEMO_NODES.map((node) => ({
    node,
    target: targets(node),
    commands: commandsOf(node),
  }));
  const initial = await initialContents(filesNamed(sets), serverOf(up), up.config.fill);
  const outcome = await runSets(sets, onRecord, signal);
  signal.throwIfAborted();
  const consistency = judgeHistory(outcome.records, initial);
  const summary = summarise(outcome.records);
  print('', ...callTable(summary), '', readsLine(summary), outcomeLine(outcome));
  print(...outcome.failures, ...consistency.lines);
  return { summary, status: statusOfRun(outcome, consistency.status) };
};

const withCachers = async (dir: string, wish: ClusterWish, signal: AbortSignal): Promise<Part> => {
  const up = await bringUp(dir, wish, signal);
  signal.throwIfAborted();
  const { config, paths } = up;
  print(
    `disk: ${geometryInWords(config.geometry)}`,
    `up: ${up.started.join(', ')}; each node has memory for ${wish.pages} pages`,
    '',
    'Four request sets at the same time, one application process a node:',
    '',
  );
  const tell = (record: CommandRecord): void => {
    print(recordAsText(record));
  };
  const target = (node: DemoNode) => ({ socket: join(paths.run, `${node}.sock`) });
  const part = await runDemoSets(target, up, tell, signal);
  const durability = durabilityVerdict(part.summary);
  print(durability.line);
  return durability.safe ? part : { ...part, status: part.status || EXIT.failed };
};

const withoutCachers = async (
  dir: string,
  wish: ClusterWish,
  signal: AbortSignal,
): Promise<Part> => {
  const up = await bringUp(dir, { ...wish, cachers: 0 }, signal);
  signal.throwIfAborted();
  print('', 'The same sets without caching daemons (direct mode), on a new disk:');
  const target = () => serverOf(up);
  return runDemoSets(target, up, () => undefined, signal);
};

/** Stops what runs in the folder, if it came so far. */
const takeDown = async (dir: string): Promise<ExitStatus> => {
  if (readClusterConfig(clusterPaths(dir)) === undefined) return EXIT.ok;
  const killed = (await bringDown(dir)).filter(({ outcome }) => outcome === 'killed');
  for (const { name } of killed) print(`${name} did not stop in time and was killed`);
  return killed.length > 0 ? EXIT.failed : EXIT.ok;
};

const demo = async (wish: ClusterWish, signal: AbortSignal): Promise<ExitStatus> => {
  const root = mkdtempSync(join(tmpdir(), 'coopfs-demo-'));
  const [cachedDir, directDir] = [join(root, 'cached'), join(root, 'direct')];
  let status: ExitStatus = EXIT.ok;
  try {
    const cached = await withCachers(cachedDir, wish, signal);
    status = await takeDown(cachedDir);
    const direct = await withoutCachers(directDir, wish, signal);
    print('', 'With caching daemons, and without:', '');
    print(...sideBySide(cached.summary, direct.summary), '');
    print(cooperationSentence(cached.summary, direct.summary));
    status = cached.status || direct.status || status;
  } finally {
    const downs = await Promise.all([cachedDir, directDir].map(takeDown));
    status ||= downs[0] || downs[1] || EXIT.ok;
    rmSync(root, { recursive: true, force: true });
  }
  print('', 'Everything is stopped, nothing is left behind.');
  return status;
};

export const demoCommand = (): Command => {
  const names = ['keyFile', 'insecure'] as const;
  const command = declareOptions(
    new Command('demo').description(
      'a file server and four caching nodes run request sets, then all is stopped and removed',
    ),
    names,
  );
  withExamples(command, [['coopfs demo', 'takes some seconds; the exit status is that of "run"']]);
  return runs(command, () => {
    const wish = wishOf(keySourceOf(command, resolveOptions(command, names)));
    return untilInterrupted((signal) => demo(wish, signal));
  });
};
