/** Does I/O: `npm run soak`: a cluster of processes under load, whose daemons are killed one after the other. */

import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { recordAsJson } from '../../cli/command_record.ts';
import { messageOf } from '../../protocol/errors.ts';
import { SERVER, type NodeId } from '../../protocol/ids.ts';
import { Prng } from '../sim/prng.ts';
import { wholeNumber } from '../whole_number.ts';
import { asText, judgement } from './report.ts';
import { Soak, type Round } from './soak.ts';
import type { WindowVerdict } from './windows.ts';

/** In one round of so many, a second daemon is killed before what the first held is on two nodes again. */
const SECOND_KILL_EVERY = 8;

/** How much of what is wrong in a round is printed. */
const SHOWN_LIMIT = 20;

const flags = new Command('soak')
  .description('kills cachers and the file server of a cluster under load; nothing may be lost')
  .option(
    '--kills <n>',
    'how many kills while every dirty file is on two nodes',
    wholeNumber(1, 1e6),
    200,
  )
  .option('--seed <n>', 'the order and the moments of the kills', wholeNumber(1, 1e9), 1)
  .parse()
  .opts<{ readonly kills: number; readonly seed: number }>();

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** The daemons in an order of their own, over and over: each is killed as often as the others. */
const victims = function* (names: readonly NodeId[], prng: Prng): Generator<NodeId, never> {
  for (;;) {
    const left = [...names];
    while (left.length > 0) yield* left.splice(prng.below(left.length), 1);
  }
};

const keep = (soak: Soak, number: number): void => {
  const folder = join(tmpdir(), `coopfs-soak-${flags.seed}-${number}-${process.pid}`);
  soak.cluster.keep(folder);
  writeFileSync(join(folder, 'history.jsonl'), soak.records.map(recordAsJson).join('\n'));
  print(`logs, disk and last history of the cluster are in ${folder}`);
};

const printProblems = (title: string, { problems }: WindowVerdict): void => {
  print([`${title}:`, ...problems.slice(0, SHOWN_LIMIT)].join('\n  '));
};

const run = async (soak: Soak, prng: Prng): Promise<Round[]> => {
  const names = [...soak.cluster.nodes, SERVER];
  const order = victims(names, prng);
  const rounds: Round[] = [];
  for (let number = 1; number <= flags.kills; number++) {
    const first = order.next().value;
    const others = names.filter((name) => name !== first);
    const second = number % SECOND_KILL_EVERY === 0 ? others[prng.below(others.length)] : undefined;
    const round = await soak.round(number, first, second);
    rounds.push(round);
    if (round.problems.length === 0) continue;
    printProblems(`round ${number}, ${asText(round)}`, round);
    keep(soak, number);
  }
  return rounds;
};

const prng = new Prng(flags.seed);
const soak = await Soak.start(prng);
try {
  const rounds = await run(soak, prng);
  const end = await soak.end();
  if (end.problems.length > 0) {
    printProblems('in the end', end);
    keep(soak, rounds.length + 1);
  }
  const { lines, failed } = judgement(rounds, end);
  print(`seed ${flags.seed}: ${lines.join('\n')}`);
  if (failed) process.exitCode = 1;
} catch (error) {
  print(messageOf(error));
  keep(soak, 0);
  print('0 passed, 1 failed');
  process.exitCode = 1;
} finally {
  await soak.cluster.close();
}
