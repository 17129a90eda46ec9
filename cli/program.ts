/** The coopfs command with all its subcommands. */

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { withExamples } from './action.ts';
import { applicationCommand } from './application.ts';
import { cacherCommand } from './cacher.ts';
import { clusterCommand } from './cluster.ts';
import { demoCommand } from './demo.ts';
import { experimentCommand } from './experiment_command.ts';
import { flushCommand } from './flush.ts';
import { forgetCommand } from './forget.ts';
import { formatCommand } from './format.ts';
import { fsckCommand } from './fsck.ts';
import { keyCommand } from './key.ts';
import { netemCommand } from './netem.ts';
import { runCommand } from './run.ts';
import { serverCommand } from './server.ts';
import { statusCommand } from './status.ts';
import { whereCommand } from './where.ts';

/** package.json is one folder above the sources, and two above the compiled files. */
const version = (): string => {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch {
      continue;
    }
  }
  return 'unknown';
};

/** Every command, `path` its whole name, says after an error where its help is. */
const settleErrors = (command: Command, path: string): void => {
  command.exitOverride().showHelpAfterError(`See ${path} --help.`);
  for (const child of command.commands) settleErrors(child, `${path} ${child.name()}`);
};

export const createProgram = (): Command => {
  const program = new Command('coopfs')
    .description('A distributed file system that keeps files in the memories of its nodes.')
    .version(version())
    .helpCommand(false)
    .addCommand(demoCommand())
    .addCommand(clusterCommand())
    .addCommand(runCommand())
    .addCommand(whereCommand())
    .addCommand(flushCommand())
    .addCommand(forgetCommand())
    .addCommand(statusCommand())
    .addCommand(netemCommand())
    .addCommand(experimentCommand())
    .addCommand(formatCommand())
    .addCommand(fsckCommand())
    .addCommand(keyCommand())
    .addCommand(serverCommand())
    .addCommand(cacherCommand())
    .addCommand(applicationCommand(), { hidden: true });
  withExamples(program, [
    ['coopfs demo', 'a whole cluster at work, then gone again'],
    ['coopfs cluster up --dir /tmp/c', 'a file server and four caching nodes in the background'],
    ['coopfs run --dir /tmp/c --check n1=a.txt n2=b.txt', 'two request sets at the same time'],
    ['coopfs cluster down --dir /tmp/c', 'stops it in order'],
  ]);
  settleErrors(program, 'coopfs');
  return program;
};
