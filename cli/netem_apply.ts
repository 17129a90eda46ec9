/** `coopfs netem apply` and `partition`: a fault that lasts as long as the command, or `--for` a time. */

import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { faultOf } from '../netem/fault.ts';
import { faultInWords } from '../netem/fault_words.ts';
import { Holder, HOLD_LEASE_MS, type HoldEnd } from '../netem/holder.ts';
import { missingInWords } from '../netem/missing.ts';
import { parseGroups, planPartition, planProfile, type Plan, type Target } from '../netem/plan.ts';
import { profileNamed } from '../netem/profile_file.ts';
import { FsError } from '../protocol/errors.ts';
import { print, printError, runs, withExamples } from './action.ts';
import { EXIT, UsageError, type ExitStatus } from './exit_status.ts';
import { untilInterrupted } from './interruption.ts';
import {
  CLUSTER_OPTIONS,
  clusterFlags,
  netemCluster,
  type ClusterOptions,
  type NetemCluster,
} from './netem_cluster.ts';
import { commandsOf } from './netem_commands.ts';
import { profileWarnings } from './netem_warnings.ts';
import { planInWords } from './netem_words.ts';
import { formatDuration } from './option_values.ts';
import { declareOptions, resolveOptions, typedIn } from './options.ts';

const HOLDING = [...CLUSTER_OPTIONS, 'for', 'detach', 'dryRun'] as const;
const APPLY = ['impaired', 'link', 'both', 'seed', ...HOLDING] as const;

/** How long a detached fault lasts when nobody says how long. */
const DETACHED_MS = 600_000;

/** An id that no other command has. */
const newId = (label: string): string =>
  `${label.replace(/[^\w.-]+/g, '-')}.${randomBytes(4).toString('hex')}`;

interface Holding extends ClusterOptions {
  readonly for: number | undefined;
  readonly detach: boolean;
  readonly dryRun: boolean;
}

const ENDS: Readonly<Record<HoldEnd, string>> = {
  over: 'its time is over',
  interrupted: 'interrupted',
  cleared: 'cleared by another command',
};

/** Has the nodes take the plan. Tells who has not. @throws FsError if none of them does. */
const begin = async (
  holder: Holder,
  plan: Plan,
  leaseMs: number,
  signal?: AbortSignal,
): Promise<void> => {
  await holder.connect(signal);
  const { missing } = await holder.begin(leaseMs, signal);
  if (missing.length === plan.size) {
    // An open connection would keep this process, and an agent, from ending.
    await holder.release();
    const [first] = missing;
    const why = first === undefined ? 'no node has a part in it' : missingInWords(first);
    throw new FsError('ECONNLOST', why);
  }
  for (const { node, reason } of missing) {
    printError(`warning: ${node} has not taken it (${reason})`);
  }
};

const holdPlan = async (
  cluster: NetemCluster,
  plan: Plan,
  what: string,
  holding: Holding,
): Promise<ExitStatus> => {
  if (holding.dryRun) {
    print(
      ...(cluster.engine === 'tc' ? await commandsOf(cluster, plan) : planInWords(cluster, plan)),
    );
    return EXIT.ok;
  }
  const holder = new Holder(plan, cluster.dial);
  if (holding.detach) {
    const forMs = holding.for ?? DETACHED_MS;
    try {
      await begin(holder, plan, forMs);
    } finally {
      holder.close();
    }
    const end = `coopfs netem clear --all${clusterFlags(holding)}`;
    print(`${what} for ${formatDuration(forMs)}, unless "${end}" ends it before`);
    return EXIT.ok;
  }
  return untilInterrupted(async (signal) => {
    await begin(holder, plan, HOLD_LEASE_MS, signal);
    const time = holding.for === undefined ? '' : ` for ${formatDuration(holding.for)}`;
    print(`${what}${time}; Ctrl-C ends it`);
    const end = await holder.keep(holding.for, signal);
    print(`ended: ${ENDS[end]}`);
    return EXIT.ok;
  });
};

/** A node that is alone has no links whose other end is known: all that it sends and gets. */
const targetOf = (
  nodes: NetemCluster['nodes'],
  options: {
    readonly impaired: string | undefined;
    readonly link: { readonly from: string; readonly to: string } | undefined;
    readonly both: boolean;
  },
): Target => {
  const [own, ...others] = nodes;
  const { impaired, link, both } = options;
  if (impaired !== undefined && link !== undefined) {
    throw new UsageError('--node and --link are both given: expected one of them');
  }
  if (link !== undefined) return { kind: 'link', ...link, both };
  if (impaired !== undefined) return { kind: 'node', node: impaired };
  return own !== undefined && others.length === 0
    ? { kind: 'node', node: own.name }
    : { kind: 'all' };
};

const targetInWords = (target: Target): string => {
  switch (target.kind) {
    case 'all':
      return 'every link, in both directions';
    case 'node':
      return `all that ${target.node} sends and gets`;
    case 'link':
      return target.both
        ? `${target.from} and ${target.to}, in both directions`
        : `what ${target.from} sends to ${target.to}`;
  }
};

export const applyCommand = (): Command => {
  const command = declareOptions(
    new Command('apply')
      .description('impair links by a profile, as long as this command runs')
      .argument(
        '<profile>',
        'a profile of netem/profiles.yaml ("coopfs netem profiles" lists them)',
      ),
    APPLY,
  );
  withExamples(command, [
    ['coopfs netem apply wifi-bad --dir /tmp/c --for 60s', 'every link for a minute'],
    ['coopfs netem apply 3g --dir /tmp/c --node n1', 'what n1 sends and gets, until Ctrl-C'],
    ['coopfs netem apply lte --dir /tmp/c --link "n1>n2" -d', 'one direction, in the background'],
    ['coopfs netem apply 3g --compose --engine tc', 'in containers, by the queues of the kernel'],
  ]);
  return runs(command, async ([name = '']) => {
    const options = resolveOptions(command, APPLY);
    const cluster = await netemCluster(options);
    const profile = profileNamed(name);
    const target = targetOf(cluster.nodes, options);
    const plan = planProfile(cluster.nodes, profile, target, options.seed, newId(name));
    const seed = typedIn(command)('seed') ? options.seed : undefined;
    for (const line of await profileWarnings(cluster, profile, plan, seed)) printError(line);
    const fault = faultInWords(faultOf(profile, 'up'));
    return holdPlan(cluster, plan, `${name} on ${targetInWords(target)}: ${fault}`, options);
  });
};

export const partitionCommand = (): Command => {
  const command = declareOptions(
    new Command('partition')
      .description('cut all links between groups of nodes, as long as this command runs')
      .argument('<groups...>', "such as n1,n2 '|' n3,server"),
    HOLDING,
  );
  withExamples(command, [
    ["coopfs netem partition n1,n2 '|' n3,server --dir /tmp/c", 'until Ctrl-C, or "netem heal"'],
  ]);
  return runs(command, async (groups) => {
    const options = resolveOptions(command, HOLDING);
    const cluster = await netemCluster(options);
    const text = groups.join(' ');
    const plan = planPartition(cluster.nodes, parseGroups(text), newId('partition'));
    const label = [...plan.values()][0]?.label ?? text;
    return holdPlan(cluster, plan, `cut: ${label}`, options);
  });
};
