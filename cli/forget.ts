/** `coopfs forget`: give up for lost what a node held that does not come back. */

import { Command } from 'commander';
import { connect } from '../applib/index.ts';
import { nodeName } from './option_values.ts';
import { print, runs, withExamples } from './action.ts';
import { keySourceOf } from './cluster_key.ts';
import { EXIT, UsageError } from './exit_status.ts';
import { declareOptions, resolveOptions, typedIn } from './options.ts';
import { placeOf } from './run_arguments.ts';
import { targetOf } from './where.ts';

const NAMES = ['dir', 'direct', 'keyFile', 'insecure'] as const;

const parseNode = ([text = '']: readonly string[]): string => {
  const result = nodeName.safeParse(text);
  if (result.success) return result.data;
  throw new UsageError(
    `node ${JSON.stringify(text)} is not right: expected the name of a node, such as n1`,
  );
};

export const forgetCommand = (): Command => {
  const command = declareOptions(
    new Command('forget')
      .description(
        'stop waiting for a node that is gone for good: files that only it may have are lost',
      )
      .argument('<node>', 'the name of the node'),
    NAMES,
  );
  withExamples(command, [
    ['coopfs forget n1 --dir /tmp/c', 'n1 of the cluster in /tmp/c does not come back'],
    ['coopfs forget n1 --direct 127.0.0.1:7000 --key-file cluster.key', 'of another cluster'],
  ]);
  return runs(command, async (args) => {
    const options = { ...resolveOptions(command, NAMES), socket: undefined };
    const node = parseNode(args);
    const place = placeOf(options, typedIn(command), keySourceOf(command, options));
    await using fs = await connect(targetOf(place));
    const files = await fs.forget(node);
    const what = files === 1 ? '1 file waited' : `${files} files waited`;
    print(`${node} is forgotten: ${what} for it (cluster status shows what is lost)`);
    return EXIT.ok;
  });
};
