/** I/O: the processes of one peer on one link, and what the workloads need of them. */

import type { Peer } from './catalogue.ts';
import type { ClientJob, ServerCount, ServerJob } from '../../netem/transports/jobs.ts';
import type { LinkProfile } from './links.ts';
import {
  CLIENT_PROCESS,
  MeasuredProcess,
  SERVER_PROCESS,
} from '../../netem/transports/measured_process.ts';
import { moduleUrl } from './peer_files.ts';
import type { Place } from './place.ts';

/** What a workload has found out: names of figures (goals.ts) and their values. */
export type Figures = Readonly<Record<string, number>>;

export interface Scene {
  readonly peer: Peer;
  readonly profile: LinkProfile;
  readonly place: Place;
  readonly server: MeasuredProcess<ServerJob>;
  readonly client: MeasuredProcess<ClientJob>;
  /** Of each phase of load. */
  readonly seconds: number;
  /** A port that no workload of this run has used. */
  readonly nextPort: () => number;
}

const FIRST_PORT = 21_000;
const PORTS = 8_000;
let ports = Math.floor(process.uptime() * 1000 + process.pid) % PORTS;

export const nextPort = (): number => {
  ports = (ports + 1) % PORTS;
  return FIRST_PORT + ports;
};

export const startServer = (peer: Peer, place: Place): MeasuredProcess<ServerJob> =>
  new MeasuredProcess(SERVER_PROCESS, [moduleUrl(peer.module)], place.server, {
    PEER_VARIANT: peer.variant,
  });

export const startClient = (peer: Peer, place: Place): MeasuredProcess<ClientJob> =>
  new MeasuredProcess(CLIENT_PROCESS, [moduleUrl(peer.module)], place.client, {
    PEER_VARIANT: peer.variant,
  });

/**
 * Connects the client anew, to a server that listens anew. `fresh`: neither side's transport remembers what
 * earlier connections have shown of the path.
 */
export const connectAnew = async (
  scene: Scene,
  connections: number,
  fresh = false,
): Promise<number> => {
  const port = scene.nextPort();
  await scene.server.ask({ do: 'listen', port, fresh });
  await scene.client.ask({ do: 'connect', host: scene.place.host, port, connections, fresh });
  return port;
};

export const countOf = (server: MeasuredProcess<ServerJob>): Promise<ServerCount> =>
  server.ask<ServerCount>({ do: 'count' });
