/** `coopfs netem show`, `clear`, `heal` and `profiles`: what there is, beside what is measured, and its end. */

import { Command } from 'commander';
import type { AgentLink } from '../netem/agent_link.ts';
import type { Answer } from '../netem/agent_protocol.ts';
import { composeAll } from '../netem/composition.ts';
import { faultOf, type Fault } from '../netem/fault.ts';
import { faultInWords, percent } from '../netem/fault_words.ts';
import { yieldedLoss } from '../netem/loss_yield.ts';
import { measurePath, probePace, type PathMeasure } from '../netem/measurement.ts';
import type { NetemNode } from '../netem/plan.ts';
import { readProfiles } from '../netem/profile_file.ts';
import { rulesFor } from '../netem/setting.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import { print, printError, runs, withExamples } from './action.ts';
import { EXIT } from './exit_status.ts';
import { CLUSTER_OPTIONS, netemCluster, type NetemCluster } from './netem_cluster.ts';
import { ruleInWords } from './netem_words.ts';
import { formatDuration } from './option_values.ts';
import { declareOptions, resolveOptions } from './options.ts';
import { textTable } from './text_table.ts';

type Shown = Answer<'show'>['settings'];

interface Reached {
  readonly node: NetemNode;
  readonly link: AgentLink;
  readonly settings: Shown;
}

/** All agents that answer; the others are named on standard error. */
const reachAll = async (cluster: NetemCluster): Promise<Reached[]> => {
  const answers = await Promise.all(
    cluster.nodes.map(async (node): Promise<Reached | undefined> => {
      try {
        const link = await cluster.dial(node.name);
        return { node, link, settings: (await link.ask<'show'>({ do: 'show' })).settings };
      } catch (error) {
        printError(`${node.name} is not reached: ${messageOf(error)}`);
        return undefined;
      }
    }),
  );
  const reached = answers.filter((each) => each !== undefined);
  if (reached.length === 0) throw new FsError('ECONNLOST', 'no node is reached');
  return reached;
};

/** What is asked for in one direction of a link: at the sender, and at the receiver. */
const configured = (from: Reached, to: Reached): Fault =>
  composeAll(
    [
      ...rulesFor(from.settings, 'out', to.node.address),
      ...rulesFor(to.settings, 'in', from.node.address),
    ].map(({ fault }) => fault),
  );

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
const linkShown = (from: Reached, to: Reached, measure: PathMeasure): LinkShown[] => {
  const there = configured(from, to);
  const back = configured(to, from);
  const lost = (sent: number, came: number): number | undefined =>
    sent === 0 ? undefined : 1 - came / sent;
  const same = {
    rttConfiguredMs: there.delayMs + back.delayMs,
    rttMs: measure.meanMs,
    rttLeastMs: measure.leastMs,
  };
  const { sent, arrived, returned } = measure;
  const names = { from: from.node.name, to: to.node.name };
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

/** Measures every link at the same time. */
const measureAll = async (reached: readonly Reached[], probes: number): Promise<LinkShown[]> => {
  const pairs = reached.flatMap((from, index) =>
    reached.slice(index + 1).map((to) => [from, to] as const),
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
      return linkShown(from, to, measure);
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

const settingsAsText = (nodes: readonly NetemNode[], reached: readonly Reached[]): string[] => {
  const lines = reached.flatMap(({ node, settings }) =>
    settings.flatMap(({ label, rules, leftMs }) => {
      const left = formatDuration(Math.ceil(leftMs / 1000) * 1000);
      return rules.map(
        (rule) => `${node.name}: ${label}, ${ruleInWords(nodes, rule)}; its lease ends in ${left}`,
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
    const cluster = await netemCluster(where);
    const reached = await reachAll(cluster);
    try {
      const links = await measureAll(reached, probes);
      const settings = reached.map((each) => ({ node: each.node.name, settings: each.settings }));
      if (json) print(JSON.stringify({ engine: cluster.engine, settings, links }));
      else {
        const measured = links.length === 0 ? [] : ['', ...linksAsText(links)];
        print(...settingsAsText(cluster.nodes, reached), ...measured);
      }
    } finally {
      for (const { link } of reached) link.close();
    }
    return EXIT.ok;
  });
};

/** Ends settings at all nodes, and tells which. */
const clearAll = async (
  cluster: NetemCluster,
  what: 'profile' | 'partition' | 'all',
): Promise<void> => {
  const reached = await reachAll(cluster);
  const labels = new Set<string>();
  for (const { link } of reached) {
    const { cleared } = await link.ask<'clear'>({ do: 'clear', what });
    for (const label of cleared) labels.add(label);
    link.close();
  }
  print(labels.size === 0 ? 'nothing was applied' : `cleared: ${[...labels].join('; ')}`);
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
    await clearAll(await netemCluster(where), all ? 'all' : 'profile');
    return EXIT.ok;
  });
};

export const healCommand = (): Command => {
  const command = declareOptions(
    new Command('heal').description('end all partitions'),
    CLUSTER_OPTIONS,
  );
  withExamples(command, [['coopfs netem heal --dir /tmp/c', 'profiles stay']]);
  return runs(command, async () => {
    await clearAll(await netemCluster(resolveOptions(command, CLUSTER_OPTIONS)), 'partition');
    return EXIT.ok;
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
