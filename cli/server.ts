/** `coopfs server`: the file server, in the foreground. */

import { Command } from 'commander';
import { SERVER } from '../protocol/ids.ts';
import { runs, withExamples } from './action.ts';
import { keySourceOf, requireKeySource, securityOf, warnOfKey } from './cluster_key.ts';
import { untilStopped } from './daemon_process.ts';
import { leaseWarning } from './lease_terms.ts';
import { createLog } from './log.ts';
import { withNetemAgent } from './netem_agent.ts';
import { declareOptions, resolveOptions } from './options.ts';

const NAMES = [
  'disk',
  'listen',
  'keyFile',
  'insecure',
  'serverPages',
  'openPolicy',
  'heartbeat',
  'lease',
  'margin',
  'qlog',
  'lostAfter',
  'scrubInterval',
  'netem',
  'degraded',
  'logLevel',
] as const;

export const serverCommand = (): Command => {
  const command = declareOptions(
    new Command('server').description('run the file server (SIGTERM stops it in order)'),
    NAMES,
  );
  withExamples(command, [
    [
      'coopfs server --disk disk.img --listen 127.0.0.1:7000 --key-file cluster.key',
      'serves the disk ("coopfs key --out cluster.key" makes the key)',
    ],
  ]);
  return runs(command, async () => {
    const options = resolveOptions(command, NAMES, ['disk', 'listen']);
    const source = requireKeySource(keySourceOf(command, options));
    const security = securityOf(source);
    const log = createLog(SERVER, options.logLevel);
    warnOfKey(source, log);
    const warning = leaseWarning(options.lease, options.heartbeat);
    if (warning !== undefined) log.warn(warning);
    // Loaded here, so that the other commands start without it.
    const { startFileServer } = await import('../fileserver/daemon.ts');
    return withNetemAgent(options.netem, async (interceptor) => {
      const server = await startFileServer({
        disk: options.disk,
        listen: options.listen,
        openPolicy: options.openPolicy,
        heartbeatMs: options.heartbeat,
        leaseMs: options.lease,
        marginMs: options.margin,
        lostAfterMs: options.lostAfter,
        scrubMs: options.scrubInterval,
        degradedPolicy: options.degraded,
        cachePages: options.serverPages,
        security,
        qlogDir: options.qlog,
        interceptor,
        log,
      });
      return untilStopped(server);
    });
  });
};
