/** `coopfs status`: what one daemon says of itself, and whether it serves. */

import { Command } from 'commander';
import { connect } from '../applib/index.ts';
import { print, runs, withExamples } from './action.ts';
import { keySourceOf } from './cluster_key.ts';
import { EXIT } from './exit_status.ts';
import { declareOptions, resolveOptions, typedIn } from './options.ts';
import { placeOf } from './run_arguments.ts';
import { daemonAsText, isServing } from './daemon_status.ts';
import { targetOf } from './where.ts';

const NAMES = ['dir', 'direct', 'socket', 'keyFile', 'insecure', 'json'] as const;

export const statusCommand = (): Command => {
  const command = declareOptions(
    new Command('status').description(
      'what a daemon says of itself (exit status 1 if it does not serve now)',
    ),
    NAMES,
  );
  withExamples(command, [
    ['coopfs status --socket /tmp/c/run/n1.sock', 'the cacher of n1'],
    ['coopfs status --direct 127.0.0.1:7000 --key-file cluster.key --json', 'the file server'],
  ]);
  return runs(command, async () => {
    const options = resolveOptions(command, NAMES);
    const place = placeOf(options, typedIn(command), keySourceOf(command, options));
    await using fs = await connect(targetOf(place));
    const status = await fs.status();
    if (options.json) print(JSON.stringify(status));
    else print(...daemonAsText(fs.node, status));
    return isServing(status) ? EXIT.ok : EXIT.failed;
  });
};
