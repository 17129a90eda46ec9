/** Does I/O: what runs of a local cluster, and what each daemon says of itself. */

import { connect } from '../applib/index.ts';
import { messageOf } from '../protocol/errors.ts';
import { SERVER } from '../protocol/ids.ts';
import {
  clusterKeySource,
  clusterPaths,
  nodeAddress,
  requireClusterConfig,
  serverAddress,
} from './cluster_config.ts';
import { accountInWords, lossesInWords } from './daemon_status.ts';
import { readProcessFile } from './process_file.ts';
import { textTable } from './text_table.ts';

/** Longer than any answer takes; a daemon that hangs must not hang `status`. */
const ANSWER_TIMEOUT_MS = 3000;

interface DaemonStatus {
  readonly name: string;
  readonly state: 'up' | 'down' | 'not answering';
  readonly pid: number | undefined;
  readonly address: string;
  /** Why it is not up. */
  readonly problem: string | undefined;
  /** The daemon's own account of itself. */
  readonly status: unknown;
}

export interface ClusterStatus {
  readonly dir: string;
  readonly allUp: boolean;
  readonly daemons: readonly DaemonStatus[];
}

const withinTime = async <T>(answer: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`));
    }, ANSWER_TIMEOUT_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
};

const ask = async (target: Parameters<typeof connect>[0]): Promise<unknown> => {
  const fs = await connect(target);
  try {
    return await fs.status();
  } finally {
    await fs.close();
  }
};

/** Asks every daemon of the cluster in `dir`, at the same time. */
export const clusterStatus = async (dir: string): Promise<ClusterStatus> => {
  const paths = clusterPaths(dir);
  const config = requireClusterConfig(paths);
  const server = serverAddress(config);
  const targets = [
    { name: SERVER, address: server, target: { server, ...clusterKeySource(paths, config) } },
    ...config.nodes.map((node) => ({
      name: node.name,
      address: nodeAddress(config, node),
      target: { socket: paths.socket(node.name) },
    })),
  ];
  const daemons = await Promise.all(
    targets.map(async ({ name, address, target }): Promise<DaemonStatus> => {
      const pid = readProcessFile(paths.pid(name))?.pid;
      const known = { name, address, pid, problem: undefined, status: undefined };
      if (pid === undefined) return { ...known, state: 'down', problem: 'no such process' };
      try {
        return { ...known, state: 'up', status: await withinTime(ask(target)) };
      } catch (error) {
        return { ...known, state: 'not answering', problem: messageOf(error) };
      }
    }),
  );
  return { dir: paths.root, allUp: daemons.every(({ state }) => state === 'up'), daemons };
};

/** One line a daemon, and one on the whole. */
export const statusAsText = ({ dir, allUp, daemons }: ClusterStatus): string[] => {
  const rows = daemons.map(({ name, state, pid, address, problem, status }) => [
    name,
    state,
    pid === undefined ? '' : `pid ${pid}`,
    address,
    problem ?? accountInWords(status),
  ]);
  const down = daemons.filter(({ state }) => state !== 'up').map(({ name }) => name);
  return [
    ...textTable(rows, ['left', 'left', 'left', 'left', 'left']),
    ...daemons.flatMap(({ status }) => lossesInWords(status)),
    allUp ? `all of ${dir} is up` : `not up in ${dir}: ${down.join(', ')}`,
  ];
};
