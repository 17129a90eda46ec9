/** `coopfs cacher`: the caching daemon of one node, in the foreground. */

import { Command } from 'commander';
import { runs, withExamples } from './action.ts';
import { keySourceOf, requireKeySource, securityOf, warnOfKey } from './cluster_key.ts';
import { announceReady, untilStopped } from './daemon_process.ts';
import { createLog } from './log.ts';
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
  'logLevel',
] as const;

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
    const options = resolveOptions(command, NAMES, ['node', 'server', 'listen', 'socket']);
    const source = requireKeySource(keySourceOf(command, options));
    const security = securityOf(source);
    const log = createLog(options.node, options.logLevel);
    warnOfKey(source, log);
    // Loaded here, so that the other commands start without it.
    const { startCacher } = await import('../cacher/daemon.ts');
    const cacher = await startCacher({
      node: options.node,
      server: options.server,
      listen: options.listen,
      socket: options.socket,
      pages: options.pages,
      writebackIntervalMs: options.writebackInterval,
      serverWaitMs: options.serverWait,
      security,
      qlogDir: options.qlog,
      log,
    });
    announceReady();
    return untilStopped(cacher);
  });
};
