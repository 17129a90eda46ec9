/** `coopfs run`: request sets at the same time, one application process a node. */

import { Command } from 'commander';
import { print, printError, runs, withExamples } from './action.ts';
import { callTable, readsLine, summarise } from './call_summary.ts';
import { keySourceOf } from './cluster_key.ts';
import { recordAsJson, recordAsText, type CommandRecord } from './command_record.ts';
import { judgeHistory } from './consistency.ts';
import { EXIT, UsageError, type ExitStatus } from './exit_status.ts';
import { untilInterrupted } from './interruption.ts';
import { declareOptions, resolveOptions, typedIn, type Resolved } from './options.ts';
import { placeOf, planRun, type Containers, type Place, type RunPlan } from './run_arguments.ts';
import { SLEEP_LIMIT_MS } from './request_set.ts';
import { runSets, type RunOutcome } from './run_sets.ts';
import { counted } from './text_table.ts';

const NAMES = [
  'dir',
  'socket',
  'direct',
  'keyFile',
  'insecure',
  'compose',
  'composeFile',
  'check',
  'json',
] as const;

/** The numbers of all files that the sets name. */
export const filesNamed = (sets: RunPlan['sets']): number[] => [
  ...new Set(
    sets.flatMap(({ commands }) => commands.flatMap((one) => ('file' in one ? one.file : []))),
  ),
];

/** One line on the whole run. */
export const outcomeLine = ({ records, failures }: RunOutcome): string => {
  const failed = records.filter(({ ok }) => !ok).length;
  const ended = failures.length === 0 ? '' : `, ${counted(failures.length, 'set')} ended early`;
  return `${counted(records.length, 'command')}, ${failed} failed${ended}`;
};

/** 3 comes before 1: that a history is wrong explains why commands did not do what they should. */
export const statusOfRun = ({ records, failures }: RunOutcome, checked: ExitStatus): ExitStatus => {
  if (checked === EXIT.notLinearizable) return checked;
  return failures.length > 0 || records.some(({ ok }) => !ok) ? EXIT.failed : checked;
};

const printSummary = (outcome: RunOutcome): void => {
  const summary = summarise(outcome.records);
  print('', ...callTable(summary), '', readsLine(summary), outcomeLine(outcome));
};

const HELP = `
SET is a file with one command a line (/dev/stdin can be one):
  open <filenum> <mode>          mode 0 reads, mode 1 reads and writes
  read <filenum> <num of bytes>
  write <filenum> <write string> the rest of the line; in double quotes with \\n \\t \\xNN
  close <filenum>
  sleep <ms>                     at most ${SLEEP_LIMIT_MS}
  barrier <name>                 waits for the other sets that name it (A-Z a-z 0-9 . _ -)
  expect <text>                  what the read before it must have brought
  expect-error <CODE>            what the command before it must have failed with
Blank lines and lines that begin with # count for nothing.

--check takes it that nobody else writes to these files during the run. What files hold before
it is computed where they were never written, and read from the file server otherwise.

Exit status: 0 all went as it should, 1 a command failed, 2 usage or a malformed set (nothing is
executed then), 3 the history is not linearizable.`;

const whereTo = (
  command: Command,
  options: Resolved<(typeof NAMES)[number], never>,
): Place | Containers => {
  const typed = typedIn(command);
  if (!options.compose && options.composeFile === undefined) {
    return placeOf(options, typed, keySourceOf(command, options));
  }
  const other = (['dir', 'socket', 'direct'] as const).find((name) => typed(name));
  if (other !== undefined) {
    throw new UsageError(`--${other} and --compose exclude one another: use one`);
  }
  return { kind: 'compose', file: options.composeFile };
};

export const runCommand = (): Command => {
  const command = declareOptions(
    new Command('run')
      .description('run request sets at the same time, one application a node')
      .argument(
        '<set...>',
        'NODE=SET; or one SET with --socket; with --compose, NODE is a service',
      ),
    NAMES,
  ).addHelpText('after', HELP);
  withExamples(command, [
    ['coopfs run --dir /tmp/c --check n1=a.txt n2=b.txt', 'on two nodes of the cluster in /tmp/c'],
    ['echo "open 7 0" | coopfs run --socket /tmp/c/run/n1.sock /dev/stdin', 'on one node'],
    [
      'coopfs run --direct 127.0.0.1:7000 --key-file cluster.key --json n1=a.txt',
      'without caching daemons',
    ],
    [
      'coopfs run --compose-file compose/compose.yaml --check n1=a.txt n3=b.txt',
      'in the containers n1 and n3',
    ],
  ]);
  return runs(command, async (args) => {
    const options = resolveOptions(command, NAMES);
    const plan = await planRun(whereTo(command, options), args);
    const initial = options.check ? await plan.initial(filesNamed(plan.sets)) : undefined;
    const tell = (record: CommandRecord): void => {
      print(options.json ? recordAsJson(record) : recordAsText(record));
    };
    const outcome = await untilInterrupted((signal) => runSets(plan.sets, tell, signal));
    for (const failure of outcome.failures) printError(failure);
    if (!options.json) printSummary(outcome);
    if (initial === undefined) return statusOfRun(outcome, EXIT.ok);
    const consistency = judgeHistory(outcome.records, initial);
    for (const line of consistency.lines) {
      if (options.json) printError(line);
      else print(line);
    }
    return statusOfRun(outcome, consistency.status);
  });
};
