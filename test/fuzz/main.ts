/**
 * I/O: `npm run fuzz`: every decoder on mutated inputs, and whole endpoints; or one input again.
 */

import { Command, InvalidArgumentError } from 'commander';
import { coopfsTargets } from './coopfs_targets.ts';
import { endpointTargets } from './endpoint_targets.ts';
import { fuzz, replay, type FuzzResult } from './fuzzing.ts';
import { rudpTargets } from './rudp_targets.ts';
import type { FuzzTarget } from './target.ts';
import { wholeNumber } from '../whole_number.ts';

interface Flags {
  readonly executions: number;
  readonly seed: number;
  readonly target?: string;
  readonly replay?: Uint8Array;
}

const STACK_LINES = 30;

const hex = (text: string): Uint8Array => {
  if (!/^([0-9a-f]{2})*$/i.test(text)) {
    throw new InvalidArgumentError('must be hexadecimal digits.');
  }
  return new Uint8Array(Buffer.from(text, 'hex'));
};

const report = (result: FuzzResult, seed: number, target: FuzzTarget): void => {
  const { executions, accepted, seconds, failure } = result;
  const rate = Math.round(executions / Math.max(seconds, 0.001) / 1000);
  const line = [
    target.name.padEnd(32),
    String(executions).padStart(9),
    `${Math.round((100 * accepted) / Math.max(executions, 1))} %`.padStart(6),
    `${rate} k/s`.padStart(9),
    `${Math.max(0, Math.round(result.grownBytes / 2 ** 20))} MiB`.padStart(8),
  ];
  console.log(line.join(' '));
  if (failure === undefined) return;
  const input = Buffer.from(failure.input).toString('hex');
  const error = replay(target, failure.input) ?? failure.error;
  console.log(`FAILED after ${executions} executions under seed ${seed}: ${error.stack ?? ''}`);
  console.log(`npm run fuzz -- --target '${target.name}' --replay '${input}'`);
  console.log(
    `npm run fuzz -- --target '${target.name}' --seed ${seed} --executions ${executions}`,
  );
};

const run = (flags: Flags): boolean => {
  const all = [...rudpTargets(), ...coopfsTargets(), ...endpointTargets()];
  const wanted = flags.target;
  const chosen = wanted === undefined ? all : all.filter(({ name }) => name === wanted);
  if (chosen.length === 0) {
    console.log(
      `there is no target '${wanted ?? ''}'; there are: ${all.map(({ name }) => name).join('; ')}`,
    );
    return false;
  }
  const [first] = chosen;
  if (flags.replay !== undefined && first !== undefined) return runOnce(first, flags.replay);
  const shares = chosen.reduce((sum, { share }) => sum + share, 0);
  console.log(`${'target'.padEnd(32)} executed accepted     speed  memory`);
  let executions = 0;
  let passed = true;
  for (const target of chosen) {
    const count = Math.ceil((flags.executions * target.share) / shares);
    // Most inputs end in an error, and its stack costs more than all the rest.
    Error.stackTraceLimit = 0;
    const result = fuzz(target, count, flags.seed);
    Error.stackTraceLimit = STACK_LINES;
    report(result, flags.seed, target);
    executions += result.executions;
    passed &&= result.failure === undefined;
  }
  console.log(
    `${executions} executions of ${chosen.length} targets: ${passed ? 'all as it should be' : 'FAILED'}`,
  );
  return passed;
};

const runOnce = (target: FuzzTarget, input: Uint8Array): boolean => {
  const error = replay(target, input);
  console.log(error?.stack ?? `${target.name}: as it should be`);
  return error === undefined;
};

const program = new Command('fuzz')
  .description('feeds mutated inputs to every decoder of rudp and coopfs, and to live endpoints')
  .option(
    '--executions <n>',
    'how many inputs, for all targets together',
    wholeNumber(1, 999_999_999_999),
    100_000,
  )
  .option(
    '--seed <n>',
    'of the mutations; the same seed makes the same inputs',
    wholeNumber(1, 999_999_999_999),
    1,
  )
  .option('--target <name>', 'this one alone')
  .option('--replay <hex>', 'one input of --target, once', hex);
program.parse();
if (!run(program.opts<Flags>())) process.exitCode = 1;
