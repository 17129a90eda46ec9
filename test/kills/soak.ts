/** Does I/O: rounds of kills of a cluster of processes under load, each judged when it is over. */

import { setTimeout as pause } from 'node:timers/promises';
import type { CoopFs } from '../../applib/index.ts';
import {
  isProtected,
  ProcessCluster,
  type LostFile,
  type ServerStatus,
} from '../../cli/process_cluster.ts';
import type { CommandRecord } from '../../cli/command_record.ts';
import { SERVER, type NodeId } from '../../protocol/ids.ts';
import type { Prng } from '../sim/prng.ts';
import { appending, Load, longestWait, overwriting, readAll } from '../../cli/load.ts';
import { impossibleLosses, type StruckNode } from './possible_losses.ts';
import { Windows, type WindowVerdict } from './windows.ts';

const FILL = '.';
const FILE_BYTES = 1024;
const FILES = 2048;
/** Read and overwritten by applications of all nodes. */
const SHARED = Array.from({ length: 12 }, (_, index) => index);
/** Each written by one application, from its beginning on. */
const OWN = Array.from({ length: FILES - 64 }, (_, index) => 64 + index);
const WRITES_A_TURN = 16;
/** Every round begins further on, so that files of the rounds before it are dirty still and left alone. */
const ROUNDS_APART = 160;
const SHARERS_A_NODE = 2;
const SHARED_PAUSE_MS = 15;
const OWN_PAUSE_MS = 15;

const BEFORE_A_KILL_MS = [100, 300] as const;
const BEFORE_A_START_MS = { cacher: [0, 700], server: [0, 300] } as const;
/** From the first kill of a round to the second, where there is one. */
const BETWEEN_KILLS_MS = [0, 700] as const;
const AFTER_A_ROUND_MS = 50;

export interface Kill extends StruckNode {
  /** Applications that waited for a write at that moment, by name. */
  readonly writing: readonly string[];
  readonly atNs: bigint;
}

export interface Round extends WindowVerdict {
  readonly kills: readonly Kill[];
  /** The longest wait for one call, of an application whose node was not killed. */
  readonly pauseMs: number;
  /** Files that the cluster has declared lost in this round. */
  readonly lost: readonly number[];
}

const isApplicationOf = (application: string, name: NodeId): boolean =>
  application.startsWith(`${name}.`);

export class Soak {
  readonly cluster: ProcessCluster;
  readonly #prng: Prng;
  readonly #windows = new Windows(() => new TextEncoder().encode(FILL.repeat(FILE_BYTES)));
  readonly #sharers = new Map<string, CoopFs>();
  readonly #owners = new Map<string, CoopFs>();
  readonly #lossesKnown = new Map<number, number>();
  /** Files of earlier rounds that were dirty before the first kill of this one. */
  #wereDirty: readonly number[] = [];
  /** All that the applications did in the last round. */
  records: readonly CommandRecord[] = [];

  private constructor(cluster: ProcessCluster, prng: Prng) {
    this.cluster = cluster;
    this.#prng = prng;
  }

  /** A cluster of four nodes with default times, and applications that are not at work yet. */
  static async start(prng: Prng): Promise<Soak> {
    const size = ['--files', String(FILES), '--fill', FILL, '--pages', '8192'];
    const soak = new Soak(await ProcessCluster.up(...size, '--writeback-interval', '5s'), prng);
    for (const node of soak.cluster.nodes) {
      soak.#owners.set(`${node}.own`, await soak.cluster.at(node));
      for (let number = 1; number <= SHARERS_A_NODE; number++) {
        soak.#sharers.set(`${node}.s${number}`, await soak.cluster.at(node));
      }
    }
    return soak;
  }

  /**
   * One round: load, the kill of `first` when all is whole, of `second` a moment later, a start of what was
   * killed, and the verdict.
   */
  async round(number: number, first: NodeId, second: NodeId | undefined): Promise<Round> {
    const shared = new Load(this.#sharers, overwriting(SHARED, number), SHARED_PAUSE_MS);
    const begin = (number * ROUNDS_APART) % OWN.length;
    const files = [...OWN.slice(begin), ...OWN.slice(0, begin)];
    const script = appending(files, number, this.#owners.size, WRITES_A_TURN);
    const own = new Load(this.#owners, script, OWN_PAUSE_MS);
    const loads = [shared, own];
    let kills: Kill[] = [];
    try {
      await this.#pause(BEFORE_A_KILL_MS);
      kills = await this.#kill(loads, first, second);
      await this.#pause(BEFORE_A_START_MS[first === SERVER ? 'server' : 'cacher']);
      await this.cluster.restart();
      await this.cluster.settled();
      await pause(AFTER_A_ROUND_MS);
    } finally {
      this.records = (await Promise.all(loads.map((load) => load.stop()))).flat();
    }
    return this.#judge(number, kills);
  }

  /** When all rounds are over: what every file holds that was ever written, and whether it should. */
  async end(): Promise<WindowVerdict> {
    const lost = this.#newlyLost(await this.cluster.settled());
    const files = [...this.#windows.written];
    const reads = [...this.#owners].map(([application, fs], index, all) => {
      const share = files.filter((_, place) => place % all.length === index);
      return readAll(application, fs, share, FILE_BYTES);
    });
    this.records = (await Promise.all(reads)).flat();
    const verdict = this.#windows.cut(this.records, contentsOf(this.records), new Set());
    return {
      ...verdict,
      problems: [...verdict.problems, ...impossibleLosses(lost, [])],
    };
  }

  async #pause([least, most]: readonly [number, number]): Promise<void> {
    await pause(this.#prng.between(least, most));
  }

  async #kill(loads: readonly Load[], first: NodeId, second: NodeId | undefined): Promise<Kill[]> {
    const strike = async (name: NodeId, whole: boolean): Promise<Kill> => {
      const writing = loads.flatMap((load) => load.writing);
      const atNs = process.hrtime.bigint();
      await this.cluster.kill(name);
      return { name, whole, writing, atNs };
    };
    const locations = await this.cluster.where(this.#windows.written);
    this.#wereDirty = locations.filter(({ state }) => state === 'dirty').map(({ file }) => file);
    await this.cluster.settled();
    const kills = [await strike(first, true)];
    if (second === undefined) return kills;
    await this.#pause(BETWEEN_KILLS_MS);
    kills.push(await strike(second, first !== SERVER && (await this.#isWholeWithout(first))));
    return kills;
  }

  /** The loss of the node has been noticed, and all that it held is on two others. */
  async #isWholeWithout(gone: NodeId): Promise<boolean> {
    const status = await this.cluster.status();
    return isProtected(status) && status.members.every(({ node }) => node !== gone);
  }

  async #judge(number: number, kills: readonly Kill[]): Promise<Round> {
    const { records } = this;
    const lost = this.#newlyLost(await this.cluster.settled());
    const lostFiles = lost.map(({ file }) => file);
    const touched = new Set([
      ...records.flatMap(({ file }) => file ?? []),
      ...this.#wereDirty,
      ...lostFiles,
    ]);
    const { nodes } = this.cluster;
    const reader = nodes[number % nodes.length] ?? SERVER;
    const reads = [...this.#owners].map(([application, fs]) => {
      const files = isApplicationOf(application, reader) ? touched : SHARED;
      return readAll(application, fs, files, FILE_BYTES);
    });
    const last = (await Promise.all(reads)).flat();
    const lives = (application: string): boolean =>
      !kills.some(({ name }) => isApplicationOf(application, name));
    const pauseMs = longestWait(records, kills[0]?.atNs ?? 0n, lives);
    this.records = [...records, ...last];
    const verdict = this.#windows.cut(this.records, contentsOf(last), new Set(lostFiles));
    const problems = [...verdict.problems, ...impossibleLosses(lost, kills)];
    return { ...verdict, problems, kills, pauseMs, lost: lostFiles };
  }

  #newlyLost({ lostFiles }: ServerStatus): LostFile[] {
    const lost = lostFiles.filter(({ file, times }) => this.#lossesKnown.get(file) !== times);
    for (const { file, times } of lost) this.#lossesKnown.set(file, times);
    return lost;
  }
}

/** What whole files were found to hold. */
const contentsOf = (reads: readonly CommandRecord[]): ReadonlyMap<number, Uint8Array> => {
  const found = new Map<number, Uint8Array>();
  for (const { command, file, data } of reads) {
    if (command === 'read' && file !== undefined && data !== undefined) found.set(file, data);
  }
  return found;
};
