/** `coopfs key`: makes the key that all nodes of a cluster share. */

import { Command } from 'commander';
import { messageOf } from '../protocol/errors.ts';
import { createKeyFile, newKeyLine } from '../rudp/key_file.ts';
import { print, runs, withExamples } from './action.ts';
import { EXIT, UsageError } from './exit_status.ts';
import { declareOptions, resolveOptions } from './options.ts';

const NAMES = ['out'] as const;

const HELP = `
A key file has a key a line. The first is used, all are accepted. To change the key of a cluster
that runs, on every node in turn: add the new key as second line and restart the node; then make it
the first line; then drop the old one.`;

export const keyCommand = (): Command => {
  const command = declareOptions(
    new Command('key').description('make the key that all nodes of a cluster share'),
    NAMES,
  ).addHelpText('after', HELP);
  withExamples(command, [
    ['coopfs key --out cluster.key', 'a key file that only its owner can read'],
    ['coopfs key >> cluster.key', 'a further key at the end of it'],
  ]);
  return runs(command, () => {
    const { out } = resolveOptions(command, NAMES);
    if (out === undefined) {
      print(newKeyLine());
      return Promise.resolve(EXIT.ok);
    }
    try {
      createKeyFile(out);
    } catch (error) {
      throw new UsageError(`the key file cannot be made: ${messageOf(error)}`);
    }
    print(`${out}: a new key; give every node of the cluster this file, and nobody else`);
    return Promise.resolve(EXIT.ok);
  });
};
