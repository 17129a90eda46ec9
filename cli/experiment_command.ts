/** `coopfs experiment`: what a bad network and kills do, measured, as one report. */

import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { faultOf } from '../netem/fault.ts';
import { hasNetem } from '../netem/tc_engine.ts';
import { needsNetem } from '../netem/without_netem.ts';
import { makeFolder } from '../rudp/make_folder.ts';
import { print, printError, runs, withExamples } from './action.ts';
import { networkUnavailable } from './cluster_network.ts';
import { EXIT, UsageError, type ExitStatus } from './exit_status.ts';
import type { Context, Experiment } from './experiment/experiment.ts';
import { LOSS_EXPERIMENT, RTT_EXPERIMENT } from './experiment/link_sweep.ts';
import { reportAsHtml } from './experiment/report.ts';
import { REPROTECT_EXPERIMENT } from './experiment/reprotect.ts';
import { runExperiments, type Outcome } from './experiment/run_experiments.ts';
import { SURVIVAL_EXPERIMENT } from './experiment/survival.ts';
import { TIMELINE_EXPERIMENT } from './experiment/timeline.ts';
import { untilInterrupted } from './interruption.ts';
import { declareOptions, resolveOptions } from './options.ts';

const NAMES = ['experimentEngine', 'seed', 'quick', 'scenario', 'outDir'] as const;

const EXPERIMENTS: readonly Experiment[] = [
  LOSS_EXPERIMENT,
  RTT_EXPERIMENT,
  SURVIVAL_EXPERIMENT,
  TIMELINE_EXPERIMENT,
  REPROTECT_EXPERIMENT,
];

const chosen = (names: readonly string[]): readonly Experiment[] => {
  if (names.length === 0) return EXPERIMENTS;
  return names.map((name) => {
    const found = EXPERIMENTS.find((each) => each.name === name);
    if (found !== undefined) return found;
    const all = EXPERIMENTS.map((each) => each.name).join(', ');
    throw new UsageError(`there is no experiment ${JSON.stringify(name)}: expected some of ${all}`);
  });
};

const facts = ({ seed, quick, engine }: Context): (readonly [string, string])[] => {
  const [cpu] = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  return [
    ['when', `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`],
    ['machine', `${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, ${memory} GiB`],
    ['kernel', `${process.platform} ${release()}`],
    ['Node.js', process.version],
    ['seed', String(seed)],
    ['size', quick ? 'quick' : 'full'],
    ['engine', engine ?? 'each its own'],
  ];
};

const WITHOUT_NETEM =
  'this kernel has no sch_netem, which the engine tc needs for that; --engine relay needs nothing of the kernel';

/** Words into a network namespace that goes with the command. */
const THROW_AWAY = ['unshare', '--net', '--'];

/** A kernel without sch_netem has a part of the faults by the engine tc. */
const lackingOf = async (engine: Context['engine']): Promise<Context['lacking']> => {
  const isWhole =
    engine !== 'tc' || networkUnavailable() !== undefined || (await hasNetem(THROW_AWAY));
  return (profile) => (isWhole || !needsNetem(faultOf(profile, 'up')) ? undefined : WITHOUT_NETEM);
};

const DATA = 'report.json';

const write = (folder: string, context: Context, outcome: Outcome): string => {
  const { sections, partial } = outcome;
  const known = facts(context);
  const page = join(folder, 'report.html');
  const data = {
    ...Object.fromEntries(known),
    partial: partial ?? false,
    experiments: Object.fromEntries(
      sections.map(({ name, missing, data: found }) => [name, { missing, data: found }]),
    ),
  };
  writeFileSync(page, reportAsHtml({ facts: known, sections, partial, dataFile: DATA }));
  writeFileSync(join(folder, DATA), `${JSON.stringify(data)}\n`);
  return page;
};

const statusOf = ({ partial, failed }: Outcome): ExitStatus =>
  partial !== undefined || failed ? EXIT.failed : EXIT.ok;

/** On a terminal a line that is written over; else a line each. */
const tell = (line: string): void => {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\u001b[K${line.slice(0, process.stderr.columns - 1)}`);
  } else printError(line);
};

export const experimentCommand = (): Command => {
  const names = EXPERIMENTS.map(({ name }) => name).join(', ');
  const command = declareOptions(
    new Command('experiment')
      .description('measure what a bad network and kills do, and write a report')
      .argument('[names...]', `some of ${names}; default all`),
    NAMES,
  );
  withExamples(command, [
    ['coopfs experiment --out /tmp/report', 'all of them: about a quarter of an hour'],
    ['coopfs experiment --quick survival', 'a short one'],
    ['coopfs experiment survival --engine tc', 'by the queues of the kernel (Linux, root)'],
    ['coopfs experiment survival --engine sim', 'in virtual time, the same on every machine'],
    ['coopfs experiment timeline --scenario my.yaml', 'latency over time, with faults of your own'],
  ]);
  return runs(command, async (given) => {
    const { experimentEngine: engine, outDir, ...rest } = resolveOptions(command, NAMES);
    const experiments = chosen(given);
    makeFolder(outDir);
    let outcome: Outcome | undefined;
    let page = '';
    try {
      await untilInterrupted(async (signal) => {
        const context: Context = { ...rest, engine, signal, lacking: await lackingOf(engine) };
        outcome = await runExperiments(experiments, context, tell);
        page = write(outDir, context, outcome);
      });
    } finally {
      if (process.stderr.isTTY) process.stderr.write('\n');
    }
    if (outcome === undefined) return EXIT.failed;
    for (const { name, missing } of outcome.sections) {
      if (missing !== undefined) print(`${name}: ${missing}`);
    }
    print(...(outcome.partial === undefined ? [] : [outcome.partial]), `the report is ${page}`);
    return statusOf(outcome);
  });
};
