/** Does I/O: a daemon with an agent beside it, through which `coopfs netem` impairs its datagrams. */

import type { Interceptor } from '../rudp/socket_endpoint.ts';

/** Runs a daemon whose agent is at the unix socket `path`, without one if there is no path. */
export const withNetemAgent = async <T>(
  path: string | undefined,
  runDaemon: (interceptor: Interceptor | undefined) => Promise<T>,
): Promise<T> => {
  if (path === undefined) return runDaemon(undefined);
  // Loaded here, so that daemons without it start without it.
  const [{ NetemAgent }, { RelayInterceptor }, { SettingTable }] = await Promise.all([
    import('../netem/agent.ts'),
    import('../netem/relay_interceptor.ts'),
    import('../netem/setting_table.ts'),
  ]);
  const table = new SettingTable();
  const relay = new RelayInterceptor(table);
  const agent = await NetemAgent.listen(path, table, relay);
  try {
    return await runDaemon(relay);
  } finally {
    await agent.close();
  }
};
