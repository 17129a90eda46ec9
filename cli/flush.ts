/** `coopfs flush`: returns when a file, or everything, is on the server's disk. */

import { Command } from 'commander';
import { connect } from '../applib/index.ts';
import { print, runs, withExamples } from './action.ts';
import { keySourceOf } from './cluster_key.ts';
import { EXIT, UsageError } from './exit_status.ts';
import { declareOptions, resolveOptions, typedIn } from './options.ts';
import { placeOf } from './run_arguments.ts';
import { targetOf } from './where.ts';

const NAMES = ['all', 'dir', 'direct', 'socket', 'keyFile', 'insecure'] as const;

/** The file to flush; undefined for all. */
const parseFile = ([text]: readonly string[], all: boolean): number | undefined => {
  if (all !== (text === undefined)) {
    throw new UsageError('expected the number of a file, such as 7, or --all');
  }
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(
    `file ${JSON.stringify(text)} is not right: expected a file number, such as 7`,
  );
};

export const flushCommand = (): Command => {
  const command = declareOptions(
    new Command('flush')
      .description("write a dirty file, or all of them, to the server's disk, and wait for it")
      .argument('[file]', 'the number of the file'),
    NAMES,
  );
  withExamples(command, [
    ['coopfs flush 7 --dir /tmp/c', 'file 7 of the cluster in /tmp/c'],
    ['coopfs flush --all --dir /tmp/c', 'everything that is dirty now'],
  ]);
  return runs(command, async (args) => {
    const options = resolveOptions(command, NAMES);
    const file = parseFile(args, options.all);
    const place = placeOf(options, typedIn(command), keySourceOf(command, options));
    await using fs = await connect(targetOf(place));
    await fs.flush(file);
    print(file === undefined ? 'everything is on the disk' : `file ${file} is on the disk`);
    return EXIT.ok;
  });
};
