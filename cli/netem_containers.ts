/** Does I/O: the nodes of a compose cluster, each in a container with a network namespace of its own. */

import { z } from 'zod';
import { dialCommand } from '../netem/agent_process.ts';
import { AGENT_FOLDER, OWN_NAMESPACE } from '../netem/agent_socket.ts';
import { SERVER } from '../protocol/ids.ts';
import { composeProgram, docker, output } from './compose.ts';
import { UsageError } from './exit_status.ts';
import { DEFAULT_LEASE_MS } from './lease_terms.ts';
import type { ClusterAgents, NetemCluster } from './netem_cluster.ts';
import { containerControl } from './node_control.ts';
import { duration } from './option_values.ts';

/** What `docker inspect` tells of a container, as far as it matters here. */
const containers = z.array(
  z.object({
    Id: z.string(),
    State: z.object({ Running: z.boolean() }),
    Config: z.object({ Env: z.array(z.string()), Labels: z.record(z.string(), z.string()) }),
    NetworkSettings: z.object({
      Networks: z.record(z.string(), z.object({ IPAddress: z.string() })),
    }),
  }),
);

type Container = z.output<typeof containers>[number];

const variable = ({ Config }: Container, name: string): string | undefined =>
  Config.Env.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);

const label = ({ Config }: Container, name: string): string =>
  Config.Labels[`com.docker.compose.${name}`] ?? '';

const addressOf = ({ NetworkSettings }: Container): string =>
  Object.values(NetworkSettings.Networks).find(({ IPAddress }) => IPAddress !== '')?.IPAddress ??
  '';

/** "n1", or "cacher.2" for the second container of a service, as `coopfs run --compose` names them. */
const nameOf = (container: Container): string => {
  const service = label(container, 'service');
  const number = label(container, 'container-number');
  return variable(container, 'COOPFS_NODE') === undefined && service !== SERVER
    ? `${service}.${number}`
    : service;
};

/** The agent's program is where the coopfs command of the image is, whatever folder that is. */
const AGENT = `exec node "$(dirname "$(readlink -f "$(command -v coopfs)")")/../netem/agent_main.js" attach "$@"`;

const leaseOf = (container: Container | undefined): number | undefined => {
  if (container === undefined) return undefined;
  const text = variable(container, 'COOPFS_LEASE');
  return text === undefined ? DEFAULT_LEASE_MS : duration.safeParse(text).data;
};

/** The running containers of the cluster. @throws UsageError if there are none. */
const containersOf = async (file: string | undefined): Promise<Container[]> => {
  const program = await composeProgram(file);
  const ids = (await output([...program, 'ps', '--quiet'])).split('\n').filter((id) => id !== '');
  const found = ids.length === 0 ? [] : await output(['docker', 'inspect', ...ids]);
  const running = (found.length === 0 ? [] : containers.parse(JSON.parse(found as string))).filter(
    (each) => each.State.Running && addressOf(each) !== '',
  );
  if (running.length > 0) return running;
  throw new UsageError(`no container of the cluster runs: start it by "${program.join(' ')} up"`);
};

const clusterOf = (running: readonly Container[], engine: 'relay' | 'tc'): NetemCluster => {
  const members = new Map(running.map((each) => [nameOf(each), each]));
  const port = (each: Container): string =>
    variable(each, 'COOPFS_LISTEN')?.split(':')[1] ?? '7000';
  return {
    nodes: [...members].map(([name, each]) => ({
      name,
      address: engine === 'tc' ? addressOf(each) : `${addressOf(each)}:${port(each)}`,
    })),
    engine,
    dial: (node, signal) => {
      const member = members.get(node);
      const id = member?.Id ?? node;
      const socket = member === undefined ? undefined : variable(member, 'COOPFS_NETEM');
      const as = engine === 'tc' ? ['--user', 'root'] : [];
      const at = engine === 'tc' || socket === undefined ? [] : [socket];
      const agent = ['sh', '-c', AGENT, 'sh', ...at];
      return dialCommand(node, ['docker', 'exec', '-i', ...as, id, ...agent], signal);
    },
    leaseMs: leaseOf(members.get(SERVER)),
    control: containerControl(new Map([...members].map(([name, { Id }]) => [name, Id]))),
  };
};

/**
 * The daemons' own agents have the engine `relay`; `tc` needs NET_ADMIN, which root has in these
 * containers, and gets an agent of its own in each.
 */
export const clusterInContainers = async (
  file: string | undefined,
  engine: 'relay' | 'tc',
): Promise<NetemCluster> => clusterOf(await containersOf(file), engine);

/** Whether an agent of the engine `tc` listens in a container, or has left its socket and its rules there. */
const TC_AGENT = `test -e "${AGENT_FOLDER}/$(stat -L -c %i ${OWN_NAMESPACE}).sock" && echo yes`;

/** One that cannot be asked is not reached by the other engine either, which says so. */
const hasTcAgent = async ({ Id }: Container): Promise<boolean> =>
  docker('exec', '--user', 'root', Id, 'sh', '-c', TC_AGENT).then(
    (said) => said === 'yes',
    () => false,
  );

/** The cluster by each engine, with the nodes that have an agent of it by now. */
export const agentsInContainers = async (file: string | undefined): Promise<ClusterAgents> => {
  const running = await containersOf(file);
  const relay = clusterOf(running, 'relay');
  const withTc = await Promise.all(
    running.map(async (each) => ((await hasTcAgent(each)) ? [nameOf(each)] : [])),
  );
  return [
    { cluster: relay, names: relay.nodes.map(({ name }) => name) },
    { cluster: clusterOf(running, 'tc'), names: withTc.flat() },
  ];
};
