/**
 * I/O: the agent of the engine `tc` as a process in the network namespace that it changes.
 *
 *   serve PATH     the agent itself, at a unix socket; ends when nothing is held and nobody asks
 *   attach [PATH]  carries standard input and output to the agent at PATH; without one, to the agent of this
 *                  network namespace, which is started if it is not there
 */

import { pipeline } from 'node:stream/promises';
import { FsError, messageOf } from '../protocol/errors.ts';
import { agentPath, OWN_NAMESPACE, reachAgent, socketAt } from './agent_socket.ts';

/** How long an agent without anything to do waits for the next command. */
const LINGER_MS = 5000;

const serve = async (path: string): Promise<void> => {
  // Loaded here: what only carries bytes starts sooner without it, in every container of a cluster.
  const [{ NetemAgent }, { SettingTable }, { TcEngine }] = await Promise.all([
    import('./agent.ts'),
    import('./setting_table.ts'),
    import('./tc_engine.ts'),
  ]);
  const table = new SettingTable();
  const engine = await TcEngine.start(table);
  const agent = await NetemAgent.listen(path, table, engine).catch(async (error: unknown) => {
    await engine.close();
    throw error;
  });
  const end = (): void => {
    agent.close().then(
      () => process.exit(),
      () => process.exit(1),
    );
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, end);
  // Whatever happens to the agent, what it has applied goes with it.
  process.on('uncaughtException', end);
  const isIdle = (): boolean => agent.connections === 0 && table.nextExpiry() === undefined;
  let linger: NodeJS.Timeout | undefined;
  const wait = (): void => {
    clearTimeout(linger);
    linger = setTimeout(() => {
      if (isIdle()) end();
    }, LINGER_MS);
  };
  agent.onIdle = wait;
  wait();
};

const attach = async (path: string | undefined): Promise<void> => {
  const socket =
    path === undefined ? await reachAgent(agentPath(OWN_NAMESPACE), []) : await socketAt(path);
  await Promise.race([pipeline(process.stdin, socket), pipeline(socket, process.stdout)]);
  process.exit();
};

const [role, path] = process.argv.slice(2);
try {
  if (role === 'serve' && path !== undefined) await serve(path);
  else if (role === 'attach') await attach(path);
  else throw new FsError('EINVAL', `expected "serve PATH" or "attach [PATH]", not ${String(role)}`);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(1);
}
