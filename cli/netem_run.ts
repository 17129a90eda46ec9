/** `coopfs netem run`: a timeline of faults and kills, from a file. */

import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { isUnreachable } from '../netem/agent_link.ts';
import { faultOf } from '../netem/fault.ts';
import { leaseWarning } from '../netem/lease_fit.ts';
import { actionInWords, type Scenario } from '../netem/scenario.ts';
import { readScenario, scenarioNames } from '../netem/scenario_file.ts';
import { print, printError, runs, withExamples } from './action.ts';
import { EXIT, UsageError } from './exit_status.ts';
import { untilInterrupted } from './interruption.ts';
import { netemCluster, type NetemCluster } from './netem_cluster.ts';
import { commandsOf } from './netem_commands.ts';
import { planInWords } from './netem_words.ts';
import { formatDuration } from './option_values.ts';
import { declareOptions, resolveOptions, type Resolved } from './options.ts';
import {
  planScenario,
  runScenario,
  type ControlledCluster,
  type PlannedStep,
} from './scenario_run.ts';

const CLUSTER = ['dir', 'compose', 'composeFile', 'engine'] as const;
const NAMES = [...CLUSTER, 'seed', 'dryRun'] as const;

const inWords = (cluster: NetemCluster, { step, plan }: PlannedStep): string[] => {
  const lasts = step.forMs === undefined ? '' : ` for ${formatDuration(step.forMs)}`;
  const rules = plan === undefined ? [] : planInWords(cluster, plan);
  return [
    `at ${formatDuration(step.atMs)}: ${actionInWords(step)}${lasts}`,
    ...rules.map((rule) => `    ${rule}`),
  ];
};

const leaseWarnings = ({ steps }: Scenario, leaseMs: number | undefined): Set<string> => {
  const profiles = steps.flatMap((step) => (step.do === 'apply' ? [step.profile] : []));
  const warnings = profiles.map((profile) =>
    leaseMs === undefined ? undefined : leaseWarning(profile.name, faultOf(profile, 'up'), leaseMs),
  );
  return new Set(warnings.filter((each) => each !== undefined));
};

/**
 * Has the nodes look at every fault before the first step, as a kernel may not have some of them. One that does not
 * answer may be back in time. @throws FsError for a fault that a node refuses.
 */
const checkFaults = async (cluster: NetemCluster, steps: readonly PlannedStep[]): Promise<void> => {
  if (cluster.engine !== 'tc') return;
  for (const { plan } of steps) {
    if (plan === undefined) continue;
    await commandsOf(cluster, plan).catch((error: unknown) => {
      if (!isUnreachable(error)) throw error;
    });
  }
};

const controlledCluster = async (
  where: Resolved<(typeof CLUSTER)[number], never>,
): Promise<ControlledCluster> => {
  if (where.dir === undefined && !where.compose && where.composeFile === undefined) {
    throw new UsageError('it is not said which cluster: expected --dir DIR or --compose');
  }
  const cluster = await netemCluster({ ...where, netns: undefined, ownAgent: undefined });
  const { control } = cluster;
  if (control === undefined) throw new UsageError('its nodes cannot be killed from here');
  return { ...cluster, control };
};

export const netemRunCommand = (): Command => {
  const command = declareOptions(
    new Command('run')
      .description('carry out a timeline of faults and kills, from a file')
      .argument('<scenario>', `a file in YAML, or one of ${scenarioNames().join(', ')}`),
    NAMES,
  );
  withExamples(command, [
    ['coopfs netem run kills --dir /tmp/c', 'kills, a pause and a restart of the server: 12 s'],
    ['coopfs netem run my.yaml --dir /tmp/c --dry-run', 'what would be done, and when'],
    ['coopfs netem run kills --compose', 'the same in containers'],
  ]);
  return runs(command, async ([name = '']) => {
    const { seed, dryRun, ...where } = resolveOptions(command, NAMES);
    const scenario = readScenario(name);
    const cluster = await controlledCluster(where);
    const id = `scenario.${randomBytes(4).toString('hex')}`;
    const steps = planScenario(scenario, cluster.nodes, seed, id);
    for (const line of leaseWarnings(scenario, cluster.leaseMs)) printError(line);
    const length = formatDuration(scenario.endMs);
    if (dryRun) {
      print(...steps.flatMap((each) => inWords(cluster, each)), `over at ${length}`);
      return EXIT.ok;
    }
    await checkFaults(cluster, steps);
    print(`${scenario.about}; ${length}, Ctrl-C ends it`);
    const surroundings = {
      cluster,
      tell: (line: string) => {
        print(line);
      },
    };
    await untilInterrupted((signal) => runScenario(scenario, steps, surroundings, signal));
    print('over, nothing of it is left');
    return EXIT.ok;
  });
};
