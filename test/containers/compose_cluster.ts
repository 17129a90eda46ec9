/** Does I/O: a cluster of compose/compose.yaml with a project and a network of its own, for one test file. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { connect, type CoopFs } from '../../applib/index.ts';
import { composeProgram } from '../../cli/compose.ts';
import { isWhole, type ServerStatus } from '../../cli/process_cluster.ts';
import { docker, leftovers, output, removeAtTheEnd, ROOT } from './engine.ts';

const FILES = ['compose/compose.yaml', 'test/containers/sockets.yaml'];
export const NODES = ['n1', 'n2', 'n3', 'n4'] as const;
const FIXED_ADDRESSES: Readonly<Record<string, number>> = {
  server: 10,
  n1: 11,
  n2: 12,
  n3: 13,
  n4: 14,
};
/** How long a cluster may take to be what a test waits for. */
const WAIT_LIMIT_MS = 60_000;
const POLL_MS = 50;
const NETWORKS = 200;
let clusters = 0;

export class ComposeCluster {
  readonly project: string;
  readonly #net: string;
  readonly #files: readonly string[];
  readonly #more: Readonly<Record<string, string>>;
  readonly #folder = mkdtempSync(join(tmpdir(), 'coopfs-containers-'));
  readonly #ids = new Map<string, string>();
  readonly #connections = new Map<string, CoopFs>();
  #program: readonly string[] = [];

  /** With more compose files, relative to the root of the repository, and what these need to know. */
  constructor(
    name: string,
    files: readonly string[] = [],
    more: Readonly<Record<string, string>> = {},
  ) {
    this.project = `coopfs-${name}-${process.pid}`;
    this.#net = `10.${78 + clusters++}.${process.pid % NETWORKS}`;
    this.#files = [...FILES, ...files];
    this.#more = more;
    removeAtTheEnd(this.#label);
    for (const node of NODES) {
      mkdirSync(join(this.#folder, node));
      // The daemon in the container is another user than this one.
      chmodSync(join(this.#folder, node), 0o777);
    }
  }

  get #label(): string {
    return `com.docker.compose.project=${this.project}`;
  }

  /** What compose, and coopfs with it, find this cluster by. */
  get environment(): Readonly<Record<string, string>> {
    return {
      COMPOSE_PROJECT_NAME: this.project,
      COMPOSE_FILE: this.#files.map((file) => join(ROOT, file)).join(':'),
      COOPFS_NET: this.#net,
      COOPFS_TEST_RUN: this.#folder,
      // Nothing reaches the disk but by an orderly stop.
      COOPFS_WRITEBACK_INTERVAL: '60m',
      COOPFS_PAGES: '256',
      ...this.#more,
    };
  }

  /** Runs compose with the files and the project of this cluster. */
  async compose(...args: readonly string[]): Promise<string> {
    if (this.#program.length === 0) this.#program = await composeProgram(undefined);
    return output([...this.#program, ...args], this.environment);
  }

  /** Brings everything up, and waits until all nodes are members and every file is on two nodes. */
  async up(): Promise<void> {
    await this.compose('up', '--detach');
    this.#ids.clear();
    await this.settled();
  }

  /** Stops in order; the volumes stay. */
  async down(...args: readonly string[]): Promise<void> {
    await this.#forgetConnections();
    await this.compose('down', ...args);
  }

  /** Removes all of it, and finds nothing left. */
  async remove(): Promise<void> {
    await this.down('--volumes', '--remove-orphans', '--timeout', '0');
    rmSync(this.#folder, { recursive: true, force: true });
    expect(await leftovers(this.#label)).to.deep.equal([]);
  }

  async container(service: string): Promise<string> {
    const known = this.#ids.get(service);
    if (known !== undefined) return known;
    const filter = `label=com.docker.compose.service=${service}`;
    const own = `label=${this.#label}`;
    const id = await docker('ps', '--all', '--quiet', '--filter', own, '--filter', filter);
    expect(id, `the container of ${service}`).to.match(/^[0-9a-f]+$/);
    this.#ids.set(service, id);
    return id;
  }

  async kill(...services: readonly string[]): Promise<void> {
    await docker('kill', ...(await this.#containers(services)));
  }

  async start(...services: readonly string[]): Promise<void> {
    await docker('start', ...(await this.#containers(services)));
  }

  async stop(service: string): Promise<void> {
    await docker('stop', await this.container(service));
  }

  async suspend(service: string): Promise<void> {
    await docker('pause', await this.container(service));
  }

  async resume(service: string): Promise<void> {
    await docker('unpause', await this.container(service));
  }

  async cutOff(service: string): Promise<void> {
    await docker('network', 'disconnect', this.#network, await this.container(service));
  }

  async reconnect(service: string): Promise<void> {
    const id = await this.container(service);
    await docker(
      'network',
      'connect',
      '--ip',
      this.addressOf(service),
      '--alias',
      service,
      this.#network,
      id,
    );
  }

  async logs(service: string): Promise<string> {
    return docker('logs', await this.container(service));
  }

  /** The connection of the application of a node; it connects anew by itself when its node was killed. */
  async at(node: string): Promise<CoopFs> {
    const known = this.#connections.get(node);
    if (known !== undefined) return known;
    const fs = await this.until(`${node} takes applications`, () =>
      connect({ socket: join(this.#folder, node, 'node.sock') }),
    );
    this.#connections.set(node, fs);
    return fs;
  }

  addressOf(service: string): string {
    return `${this.#net}.${FIXED_ADDRESSES[service] ?? ''}`;
  }

  /** Where the server listens. */
  get server(): string {
    return `${this.addressOf('server')}:7000`;
  }

  async serverStatus(): Promise<ServerStatus> {
    const keyFile = join(this.#folder, 'cluster.key');
    const key = await docker('exec', await this.container('server'), 'cat', '/key/cluster.key');
    writeFileSync(keyFile, key, { mode: 0o600 });
    await using fs = await connect({ server: this.server, keyFile });
    return (await fs.status()) as ServerStatus;
  }

  /** Waits until all nodes are members and no dirty file is on one node only. */
  async settled(): Promise<ServerStatus> {
    return this.until('every node is a member and every dirty file on two of them', async () => {
      const status = await this.serverStatus();
      if (isWhole(status, NODES)) return status;
      throw new Error(JSON.stringify(status));
    });
  }

  /** What `attempt` resolves with at last; fails with its last error after a while. */
  async until<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const begunMs = performance.now();
    while (true) {
      try {
        return await attempt();
      } catch (error) {
        if (performance.now() < begunMs + WAIT_LIMIT_MS) await pause(POLL_MS);
        else throw new Error(`it never came to this: ${what}`, { cause: error });
      }
    }
  }

  get #network(): string {
    return `${this.project}_cluster`;
  }

  async #containers(services: readonly string[]): Promise<string[]> {
    return Promise.all(services.map((service) => this.container(service)));
  }

  async #forgetConnections(): Promise<void> {
    const open = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.allSettled(open.map((fs) => fs.close()));
  }
}

let shared: ComposeCluster | undefined;

/** The cluster that the test files of one run have in common: all nodes run, and all files are on two of them. */
export const sharedCluster = async (): Promise<ComposeCluster> => {
  if (shared === undefined) {
    shared = new ComposeCluster('shared');
    await shared.compose('build');
    const begunMs = performance.now();
    await shared.up();
    const tookMs = performance.now() - begunMs;
    console.log(`      from "up" to a cluster that can be used: ${tookMs.toFixed(0)} ms`);
  }
  await shared.settled();
  return shared;
};

after('removes the cluster that was shared', async function () {
  this.timeout(60_000);
  await shared?.remove();
});

const text = new TextDecoder();

/** What a file begins with, as one node reads it. */
export const readFile = async (fs: CoopFs, file: number, bytes: number): Promise<string> => {
  await using open = await fs.open(file, 'r');
  return text.decode(await open.read(bytes));
};

export const writeFile = async (fs: CoopFs, file: number, contents: string): Promise<void> => {
  await using open = await fs.open(file, 'w');
  const { count, copies } = await open.writeDetailed(contents);
  expect({ count, copies }, `file ${file}`).to.deep.equal({ count: contents.length, copies: 2 });
};
