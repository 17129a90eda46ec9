/**
 * Does I/O: how long after kill -9 of a cacher every dirty file is on two nodes again, and how long a read of a file
 * waits whose owner was killed: in a cluster of four cachers as processes, with default times.
 * `npm run bench:failover -- [--kills N] [--spread] [--json]`
 */

import { cpus, loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import type { CoopFs } from '../applib/index.ts';
import { percentile } from '../cli/call_summary.ts';
import type { NodeId } from '../protocol/ids.ts';
import { isProtected, ProcessCluster, type ServerStatus } from '../cli/process_cluster.ts';

const FILES = 4096;
const PAGES = 16_384;
const DIRTY_FILES = 1000;
const WRITES_AT_ONCE = 32;
/** Reads that begin when the owner is killed. */
const READS = 8;
const GOAL_MS = 1000;

const { values: flags } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    /** Every node owns a quarter of the files; else the one that is killed owns all of them. */
    spread: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

interface Failover {
  /** From the kill until the server says that it is so. */
  readonly protectedMs: number;
  /** As the server measures it, from the last heartbeat on. */
  readonly lastReprotectionMs: number;
  /** From the kill to each answer. */
  readonly readsMs: readonly number[];
}

class Bench {
  readonly #cluster: ProcessCluster;
  readonly #applications = new Map<NodeId, CoopFs>();
  #round = 0;

  private constructor(cluster: ProcessCluster) {
    this.#cluster = cluster;
  }

  static async start(): Promise<Bench> {
    const size = ['--files', String(FILES), '--pages', String(PAGES)];
    const bench = new Bench(await ProcessCluster.up(...size));
    for (const node of bench.#cluster.nodes) {
      bench.#applications.set(node, await bench.#cluster.at(node));
    }
    return bench;
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }

  /** Makes the files dirty, kills a node that owns them, and starts it again. */
  async failover(): Promise<Failover> {
    const { nodes } = this.#cluster;
    const victim = nodes[this.#round++ % nodes.length];
    if (victim === undefined) throw new Error('the cluster has no nodes');
    await this.#makeDirty(victim);
    const others = nodes.filter((node) => node !== victim);
    const killedMs = performance.now();
    const killing = this.#cluster.kill(victim);
    const reading = this.#read(victim, others, killedMs);
    await killing;
    const status = await this.#cluster.statusWhen(
      `${victim} is lost, and every dirty file on two nodes`,
      (now) => now.members.every(({ node }) => node !== victim) && isProtected(now),
    );
    const protectedMs = performance.now() - killedMs;
    const readsMs = await reading;
    await this.#cluster.restart();
    await this.#cluster.settled();
    if (status.lostFiles.length > 0) throw new Error('files were lost');
    return { protectedMs, lastReprotectionMs: status.lastReprotectionMs ?? Number.NaN, readsMs };
  }

  #application(node: NodeId | undefined): CoopFs {
    const fs = node === undefined ? undefined : this.#applications.get(node);
    if (fs === undefined) throw new Error(`no application of ${String(node)}`);
    return fs;
  }

  /** Until all of them are: what a timer has written back meanwhile is written again. */
  async #makeDirty(victim: NodeId): Promise<ServerStatus> {
    const { nodes } = this.#cluster;
    const owner = (file: number): NodeId | undefined =>
      flags.spread ? nodes[file % nodes.length] : victim;
    return this.#cluster.until('all files are dirty', async () => {
      let next = 0;
      const write = async (): Promise<void> => {
        while (next < DIRTY_FILES) {
          const number = next++;
          await using file = await this.#application(owner(number)).open(number, 'w');
          await file.write(`round ${this.#round}`);
        }
      };
      // On a busy machine a node may lose its lease, and a write fail: then all is written again.
      const writers = await Promise.allSettled(Array.from({ length: WRITES_AT_ONCE }, write));
      const status = await this.#cluster.settled();
      const went = writers.every((writer) => writer.status === 'fulfilled');
      return went && status.dirtyFiles === DIRTY_FILES ? status : undefined;
    });
  }

  /** Reads files of the victim, each on a node that has no copy of it. */
  async #read(
    victim: NodeId,
    others: readonly NodeId[],
    killedMs: number,
  ): Promise<readonly number[]> {
    const readOne = async (number: number): Promise<number | undefined> => {
      const somebody = this.#application(others[number % others.length]);
      const { owner, backup } = await somebody.where(number);
      const reader = others.find((node) => node !== backup);
      if (owner !== victim || reader === undefined) return undefined;
      await using file = await this.#application(reader).open(number, 'r');
      const bytes = await file.read(16);
      const expected = `round ${this.#round}`;
      const found = new TextDecoder().decode(bytes).slice(0, expected.length);
      if (found !== expected) throw new Error(`file ${number} holds "${found}", not "${expected}"`);
      return performance.now() - killedMs;
    };
    const spacing = Math.floor(DIRTY_FILES / READS / 4) * 4;
    const first = Math.max(0, this.#cluster.nodes.indexOf(victim));
    const numbers = Array.from({ length: READS }, (_, index) => first + index * spacing);
    return (await Promise.all(numbers.map(readOne))).flatMap((ms) => ms ?? []);
  }
}

const inWords = (name: string, values: readonly number[]): string => {
  const ascending = [...values].sort((a, b) => a - b);
  const at = (percent: number): string => (percentile(ascending, percent) ?? NaN).toFixed(0);
  return `${name}: p50 ${at(50)} ms, p99 ${at(99)} ms, most ${at(100)} ms (${values.length} samples)`;
};

const main = async (): Promise<void> => {
  const bench = await Bench.start();
  const failovers: Failover[] = [];
  try {
    while (failovers.length < Number(flags.kills)) failovers.push(await bench.failover());
  } finally {
    await bench.close();
  }
  const host = { node: process.version, cpus: cpus().length, load: loadavg()[0] };
  if (flags.json) {
    console.log(JSON.stringify({ ...host, dirtyFiles: DIRTY_FILES, failovers }));
    return;
  }
  const whose = flags.spread
    ? 'a quarter of them owned by each node'
    : 'all owned by the killed node';
  console.log(`${failovers.length} kills, ${DIRTY_FILES} dirty files, ${whose}`);
  const outside = failovers.map(({ protectedMs }) => protectedMs);
  console.log(inWords('kill -9 to every dirty file on two nodes, from outside', outside));
  const reported = failovers.map(({ lastReprotectionMs }) => lastReprotectionMs);
  console.log(inWords('the same as the server reports it', reported));
  console.log(
    inWords(
      'a read of a file whose owner was killed',
      failovers.flatMap((f) => f.readsMs),
    ),
  );
  console.log(`goal: p99 below ${GOAL_MS} ms; load of the machine ${(host.load ?? 0).toFixed(1)}`);
};

await main();
