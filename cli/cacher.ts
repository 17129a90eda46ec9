/** Does I/O: `coopfs cacher`: the caching daemon of one node, in the foreground. */

import { hostname } from 'node:os';
import { Command } from 'commander';
import type { NodeId } from '../protocol/ids.ts';
import { runs, withExamples } from './action.ts';
import { keySourceOf, requireKeySource, securityOf, warnOfKey } from './cluster_key.ts';
import { untilStopped } from './daemon_process.ts';
import { UsageError } from './exit_status.ts';
import { createLog } from './log.ts';
import { nodeName } from './option_values.ts';
import { withNetemAgent } from './netem_agent.ts';
import { declareOptions, resolveOptions } from './options.ts';

const NAMES = [
  'node',
  'server',
  'listen',
  'keyFile',
  'insecure',
  'socket',
  'pages',
  'serverWait',
  'writebackInterval',
  'qlog',
  'netem',
  'logLevel',
] as const;

/** A node without a name of its own has that of its machine: in a container, the container's. */
const nameOfMachine = (): NodeId => {
  const name = hostname();
  const result = nodeName.safeParse(name);
  if (result.success) return result.data;
  const why = `the name of this machine, ${JSON.stringify(name)}, cannot be a node's`;
  throw new UsageError(`${why}: expected --node <name> (or COOPFS_NODE), such as n1`);
};

export const cacherCommand = (): Command => {
  const command = declareOptions(
    new Command('cacher').description(
      'run the caching daemon of a node (SIGTERM hands its dirty files over, then stops it)',
    ),
    NAMES,
  );
  withExamples(command, [
    [
      'coopfs cacher --node n1 --server 127.0.0.1:7000 --listen 127.0.0.1:7001 --socket /tmp/n1.sock --key-file cluster.key',
      'joins the cluster as n1',
    ],
  ]);
  return runs(command, async () => {
    const options = resolveOptions(command, NAMES, ['server', 'listen', 'socket']);
    const node = options.node ?? nameOfMachine();
    const source = requireKeySource(keySourceOf(command, options));
    const security = securityOf(source);
    const log = createLog(node, options.logLevel);
    warnOfKey(source, log);
    // Loaded here, so that the other commands start without it.
    const { startCacher } = await import('../cacher/daemon.ts');
    return withNetemAgent(options.netem, async (interceptor) => {
      const cacher = await startCacher({
        node,
        server: options.server,
        listen: options.listen,
        socket: options.socket,
        pages: options.pages,
        writebackIntervalMs: options.writebackInterval,
        serverWaitMs: options.serverWait,
        security,
        qlogDir: options.qlog,
        interceptor,
        log,
      });
      return untilStopped(cacher);
    });
  });
};
