/** Does I/O: stops a local cluster: the cachers in order, each handing its dirty files over, then the server. */

import { SERVER } from '../protocol/ids.ts';
import { clusterPaths, requireClusterConfig } from './cluster_config.ts';
import { ownerOf, removeNetwork } from './cluster_network.ts';
import { withClusterLock } from './cluster_up.ts';
import { errorToldSince, logLength, stopDaemon } from './daemon_process.ts';
import { readProcessFile, removeProcessFile } from './process_file.ts';

type StopOutcome = 'stopped' | 'killed' | 'was not running';

export interface Stopped {
  readonly name: string;
  readonly pid: number | undefined;
  readonly outcome: StopOutcome;
  /** What could not be saved, or went wrong otherwise, in the daemon's own words. */
  readonly problem: string | undefined;
}

/** Stops every daemon of the cluster in `dir`, one after the other; each in bounded time. */
export const bringDown = async (dir: string): Promise<Stopped[]> => {
  const paths = clusterPaths(dir);
  const config = requireClusterConfig(paths);
  return withClusterLock(paths, async () => {
    const outcomes: Stopped[] = [];
    for (const name of [...config.nodes.map((node) => node.name), SERVER]) {
      const pidFile = paths.pid(name);
      const identity = readProcessFile(pidFile);
      if (identity === undefined) removeProcessFile(pidFile);
      const log = paths.log(name);
      const logStart = logLength(log);
      outcomes.push({
        name,
        pid: identity?.pid,
        outcome: identity === undefined ? 'was not running' : await stopDaemon(identity, pidFile),
        problem: errorToldSince(log, logStart),
      });
    }
    if (config.network !== undefined) await removeNetwork(config.network, ownerOf(paths.root));
    return outcomes;
  });
};
