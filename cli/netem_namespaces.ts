/** Does I/O: nodes in network namespaces of this machine, whose queues the engine `tc` changes. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { dialNamespace } from '../netem/agent_process.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import { UsageError } from './exit_status.ts';
import type { NetemCluster } from './netem_cluster.ts';
import { NAMESPACES } from './network_script.ts';

const addresses = z.array(
  z.object({ addr_info: z.array(z.object({ local: z.string() })).default([]) }),
);

const fileOf = (namespace: string): string =>
  namespace.includes('/') ? namespace : `${NAMESPACES}/${namespace}`;

/** The address by which others know who is in a namespace. @throws UsageError unless it is one. */
const addressIn = async (node: string, namespace: string): Promise<string> => {
  const args = [`--net=${namespace}`, '--', 'ip', '-json', '-4', 'addr', 'show', 'scope', 'global'];
  const { stdout } = await promisify(execFile)('nsenter', args).catch((error: unknown) => {
    throw new FsError(
      'ENOENT',
      `the network namespace of ${node} cannot be entered: ${messageOf(error)}`,
    );
  });
  const found = addresses.parse(JSON.parse(stdout)).flatMap(({ addr_info }) => addr_info);
  const [first, ...more] = found.map(({ local }) => local);
  if (first !== undefined && more.length === 0) return first;
  const has = first === undefined ? 'none' : [first, ...more].join(', ');
  throw new UsageError(`${namespace} of ${node} has the IPv4 addresses ${has}: expected one`);
};

export const clusterInNamespaces = async (
  members: readonly { readonly node: string; readonly namespace: string }[],
): Promise<NetemCluster> => {
  const files = new Map(members.map(({ node, namespace }) => [node, fileOf(namespace)]));
  const nodes = await Promise.all(
    [...files].map(async ([name, file]) => ({ name, address: await addressIn(name, file) })),
  );
  return {
    nodes,
    engine: 'tc',
    dial: (node, signal) => dialNamespace(node, files.get(node) ?? '', signal),
    leaseMs: undefined,
    control: undefined,
  };
};
