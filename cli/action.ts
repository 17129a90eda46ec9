/** Does I/O: how a subcommand runs and ends: its lines, its error line, its exit status. */

import type { Command } from 'commander';
import { messageOf } from '../protocol/errors.ts';
import { EXIT, UsageError, type ExitStatus } from './exit_status.ts';

export const print = (...lines: readonly string[]): void => {
  for (const line of lines) process.stdout.write(`${line}\n`);
};

export const printError = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** "coopfs cluster up". */
const fullName = (command: Command): string =>
  command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;

const explain = (command: Command, error: unknown): ExitStatus => {
  printError(`${fullName(command)}: ${messageOf(error)}`);
  if (!(error instanceof UsageError)) return EXIT.failed;
  printError(`See ${fullName(command)} --help.`);
  return EXIT.usage;
};

/** Lets `command` do `work` with its arguments; what that throws is told on standard error. */
export const runs = (
  command: Command,
  work: (args: readonly string[]) => Promise<ExitStatus>,
): Command =>
  command.action(async () => {
    try {
      process.exitCode = await work(command.args);
    } catch (error) {
      process.exitCode = explain(command, error);
    }
  });

/** Adds examples to the end of a command's help: a command line, and what it is for. */
export const withExamples = (
  command: Command,
  examples: readonly (readonly [line: string, purpose: string])[],
): Command =>
  command.addHelpText(
    'after',
    `\nExamples:\n${examples.map(([line, purpose]) => `  ${line}\n      ${purpose}`).join('\n')}`,
  );
