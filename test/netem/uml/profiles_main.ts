/**
 * Does I/O: the program of a User-Mode Linux that applies every profile by the engine `tc`, in a network
 * namespace for each node, measures it and clears it. What it has measured it tells the host.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { clusterInNamespaces } from '../../../cli/netem_namespaces.ts';
import type { Target } from '../../../netem/plan.ts';
import { profileNamed } from '../../../netem/profile_file.ts';
import { messageOf } from '../../../protocol/errors.ts';
import { agentTraces } from '../../cli/network_traces.ts';
import { Namespaces } from '../namespaces.ts';
import { Agents, folder, orders, tell } from './guest.ts';
import type { Errand } from './errand.ts';
import { Probe } from './probe.ts';
import { NODES, type ProfileOrders } from './records.ts';

const { bare: bareErrand, everyLink, oneNode } = orders() as ProfileOrders;
const spaces = new Namespaces(NODES);
const probe = new Probe(
  join(folder, 'probe'),
  NODES.map((node) => [`/run/netns/${spaces.of(node)}`, spaces.address(node)]),
);
const namespaces = NODES.map((node) => ({ node, namespace: spaces.of(node) }));
const agents = await Agents.reach(await clusterInNamespaces(namespaces));

const leftovers = (): string[] => NODES.flatMap((node) => spaces.leftovers(node));

const measureProfile = async (errand: Errand, target: Target): Promise<void> => {
  const { profile } = errand;
  const told = { profile, target: target.kind };
  try {
    // Just before, because this machine may have more to do in a minute than now.
    const bare = await probe.timeTrips(bareErrand);
    await agents.apply(profileNamed(profile), target);
    const counted = await probe.countLosses(errand);
    const timed = await probe.timeTrips(errand);
    await agents.clear();
    tell({ ...told, measured: { bare, counted, timed }, leftovers: leftovers() });
  } catch (error) {
    tell({ ...told, failure: messageOf(error) });
  }
};

/** Processes of the project besides this one, by their command lines. */
const processes = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => /agent_main|probe|\btc\b/.test(line));

// The first datagrams wait for the addresses of their neighbours, in a queue that may be too short for them.
await probe.timeTrips(bareErrand);
tell({ bare: await probe.countLosses(bareErrand) });
for (const errand of everyLink) await measureProfile(errand, { kind: 'all' });
await measureProfile(oneNode, { kind: 'node', node: 'n1' });

agents.close();
probe.end();
// Agents wait for the next command for a while. The host bounds this.
while (processes().length > 0) await pause(200);
await spaces.remove();
tell({ over: { namespaces: readdirSync('/run/netns'), agents: agentTraces() } });
