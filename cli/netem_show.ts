/** `coopfs netem show`, `clear`, `heal` and `profiles`: what there is, beside what is measured, and its end. */

import { Command } from 'commander';
import { faultOf } from '../netem/fault.ts';
import { faultInWords, percent } from '../netem/fault_words.ts';
import { yieldedLoss } from '../netem/loss_yield.ts';
import { measurePath, probePace, type PathMeasure } from '../netem/measurement.ts';
import { readProfiles } from '../netem/profile_file.ts';
import { FsError } from '../protocol/errors.ts';
import { print, printError, runs, withExamples } from './action.ts';
import { EXIT, type ExitStatus } from './exit_status.ts';
import {
  CLUSTER_OPTIONS,
  netemAgents,
  type ClusterAgents,
  type NetemCluster,
} from './netem_cluster.ts';
import { clearAt, configuredFault, reachAll, type Reached } from './netem_reached.ts';
import { ruleInWords } from './netem_words.ts';
import { formatDuration } from './option_values.ts';
import { declareOptions, resolveOptions } from './options.ts';
import { textTable } from './text_table.ts';

/** All agents that answer; the others are named on standard error. @throws FsError ECONNLOST if none does. */
const reachSome = async (agents: ClusterAgents): ReturnType<typeof reachAll> => {
  const found = await reachAll(agents);
  for (const line of found.missed) printError(line);
  if (found.reached.length === 0) throw new FsError('ECONNLOST', 'no node is reached');
  return found;
};

export interface LinkShown {
  readonly from: string;
  readonly to: string;
  readonly lossConfigured: number;
  readonly rttConfiguredMs: number;
  readonly loss: number | undefined;
  readonly rttMs: number | undefined;
  readonly rttLeastMs: number | undefined;
  readonly probes: number;
}

/** Both directions of a link from one run of probes: there, and of those that came, back. */
const linkShown = (
  reached: readonly Reached[],
  names: { readonly from: string; readonly to: string },
  measure: PathMeasure,
): LinkShown[] => {
  const there = configuredFault(reached, names.from, names.to);
  const back = configuredFault(reached, names.to, names.from);
  const lost = (sent: number, came: number): number | undefined =>
    sent === 0 ? undefined : 1 - came / sent;
  const same = {
    rttConfiguredMs: there.delayMs + back.delayMs,
    rttMs: measure.meanMs,
    rttLeastMs: measure.leastMs,
  };
  const { sent, arrived, returned } = measure;
  return [
    {
      ...names,
      ...same,
      lossConfigured: yieldedLoss(there.loss),
      loss: lost(sent, arrived),
      probes: sent,
    },
    {
      from: names.to,
      to: names.from,
      ...same,
      lossConfigured: yieldedLoss(back.loss),
      loss: lost(arrived, returned),
      probes: arrived,
    },
  ];
};

/** Measures every link at the same time, by one engine: what another one has applied is in it. */
const measureAll = async (
  reached: readonly Reached[],
  engine: NetemCluster['engine'],
  probes: number,
): Promise<LinkShown[]> => {
  const ends = reached.filter(({ cluster }) => cluster.engine === engine);
  const pairs = ends.flatMap((from, index) =>
    ends.slice(index + 1).map((to) => [from, to] as const),
  );
  const none = { sent: 0, arrived: 0, returned: 0, meanMs: undefined, leastMs: undefined };
  const faults = reached.flatMap(({ settings }) =>
    settings.flatMap(({ rules }) => rules.map(({ fault }) => fault)),
  );
  const pace = probePace(probes, faults);
  if (probes > 0 && pairs.length > 0) {
    const seconds = Math.ceil((probes * pace.everyMs + pace.waitMs) / 1000);
    printError(`probing ${pairs.length} links for ${seconds} s`);
  }
  const shown = await Promise.all(
    pairs.map(async ([from, to]) => {
      const measure =
        probes === 0 ? none : await measurePath(from.link, to.link, to.node.address, pace);
      return linkShown(reached, { from: from.node.name, to: to.node.name }, measure);
    }),
  );
  return shown.flat();
};

const ms = (value: number | undefined): string =>
  value === undefined ? '-' : `${value.toFixed(value < 10 ? 2 : 1)} ms`;

const linksAsText = (links: readonly LinkShown[]): string[] =>
  textTable(
    [
      ['link', 'loss asked for', 'measured', 'RTT added', 'measured', 'least', 'probes'],
      ...links.map((each) => [
        `${each.from}>${each.to}`,
        percent(each.lossConfigured),
        each.loss === undefined ? '-' : percent(each.loss),
        ms(each.rttConfiguredMs),
        ms(each.rttMs),
        ms(each.rttLeastMs),
        String(each.probes),
      ]),
    ],
    ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
  );

const settingsAsText = (reached: readonly Reached[]): string[] => {
  const lines = reached.flatMap(({ cluster, node, settings }) =>
    settings.flatMap(({ label, rules, leftMs }) => {
      const left = formatDuration(Math.ceil(leftMs / 1000) * 1000);
      return rules.map(
        (rule) =>
          `${node.name}: ${label}, ${ruleInWords(cluster.nodes, rule)}; its lease ends in ${left}`,
      );
    }),
  );
  return lines.length === 0 ? ['nothing is applied'] : lines;
};

export const showCommand = (): Command => {
  const names = [...CLUSTER_OPTIONS, 'probes', 'json'] as const;
  const command = declareOptions(
    new Command('show').description('what is applied, beside what probes measure on every link'),
    names,
  );
  withExamples(command, [['coopfs netem show --dir /tmp/c', 'all links of the cluster in /tmp/c']]);
  return runs(command, async () => {
    const { probes, json, ...where } = resolveOptions(command, names);
    const agents = await netemAgents(where);
    const [{ cluster }] = agents;
    const { reached } = await reachSome(agents);
    try {
      const links = await measureAll(reached, cluster.engine, probes);
      const settings = reached.map((each) => ({
        node: each.node.name,
        engine: each.cluster.engine,
        settings: each.settings,
      }));
      if (json) print(JSON.stringify({ engine: cluster.engine, settings, links }));
      else {
        const measured = links.length === 0 ? [] : ['', ...linksAsText(links)];
        print(...settingsAsText(reached), ...measured);
      }
    } finally {
      for (const { link } of reached) link.close();
    }
    return EXIT.ok;
  });
};

/** Ends settings at all nodes, and tells which. It has failed if one of them may go on. */
const clearAll = async (
  agents: ClusterAgents,
  what: 'profile' | 'partition' | 'all',
): Promise<ExitStatus> => {
  const { reached, missed } = await reachSome(agents);
  const { labels, missed: failed } = await clearAt(reached, what);
  for (const { link } of reached) link.close();
  for (const line of failed) printError(line);
  const isAll = missed.length + failed.length === 0;
  const where = isAll ? '' : ' at the other nodes';
  print(
    labels.size === 0
      ? `nothing was applied${where}`
      : `cleared${where}: ${[...labels].join('; ')}`,
  );
  return isAll ? EXIT.ok : EXIT.failed;
};

export const clearCommand = (): Command => {
  const names = [...CLUSTER_OPTIONS, 'all'] as const;
  const command = declareOptions(
    new Command('clear').description('end all profiles, by whomever they were applied'),
    names,
  );
  withExamples(command, [['coopfs netem clear --dir /tmp/c --all', 'partitions, too']]);
  return runs(command, async () => {
    const { all, ...where } = resolveOptions(command, names);
    return clearAll(await netemAgents(where), all ? 'all' : 'profile');
  });
};

export const healCommand = (): Command => {
  const command = declareOptions(
    new Command('heal').description('end all partitions'),
    CLUSTER_OPTIONS,
  );
  withExamples(command, [['coopfs netem heal --dir /tmp/c', 'profiles stay']]);
  return runs(command, async () => {
    return clearAll(await netemAgents(resolveOptions(command, CLUSTER_OPTIONS)), 'partition');
  });
};

export const profilesCommand = (): Command =>
  runs(new Command('profiles').description('the profiles there are'), () => {
    const rows = readProfiles().map((profile) => [
      profile.name,
      faultInWords(faultOf(profile, 'up')),
      profile.about,
    ]);
    print(...textTable(rows, ['left', 'left', 'left']));
    return Promise.resolve(EXIT.ok);
  });
