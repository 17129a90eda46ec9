/** Does I/O: every container of a cluster under load is killed and started again, one after the other. */

import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { CommandRecord } from '../../cli/command_record.ts';
import { judgeHistory } from '../../cli/consistency.ts';
import type { CoopFs } from '../../applib/index.ts';
import { NODES, sharedCluster, type ComposeCluster } from './compose_cluster.ts';
import {
  Load,
  TEXT_BYTES,
  longestWait,
  overwriting,
  pausesInWords,
  readAll,
} from '../../cli/load.ts';

/** How many containers are killed; 100 kills each of the five twenty times. */
const KILLS = Number(process.env['COOPFS_KILLS'] ?? 20);
const ROUND_MS = 60_000;
const SERVICES = [...NODES, 'server'] as const;
const FILES = [11, 12, 13, 14, 15, 16];
const BEFORE_THE_KILL_MS = 300;
const AFTER_THE_KILL_MS = 700;
const PAUSE_MS = 10;

describe('a cluster in containers, under load', function () {
  this.timeout(KILLS * ROUND_MS);
  let cluster: ComposeCluster;
  const waits = { cacher: [] as number[], server: [] as number[] };
  let acknowledged = 0;

  before(async () => {
    cluster = await sharedCluster();
  });

  const applications = async (): Promise<Map<string, CoopFs>> =>
    new Map(await Promise.all(NODES.map(async (node) => [node, await cluster.at(node)] as const)));

  /** Whole files as one node reads them while nobody writes. */
  const contents = async (): Promise<ReadonlyMap<number, Uint8Array>> => {
    const found = new Map<number, Uint8Array>();
    for (const file of FILES) {
      await using open = await (await cluster.at('n1')).open(file, 'r');
      found.set(file, await open.read(open.sizeBytes));
    }
    return found;
  };

  /** Kills the container under load and starts it again; resolves with what the applications did. */
  const oneRound = async (round: number, service: string): Promise<readonly CommandRecord[]> => {
    const load = new Load(await applications(), overwriting(FILES, round), PAUSE_MS);
    await pause(BEFORE_THE_KILL_MS);
    const killedNs = process.hrtime.bigint();
    await cluster.kill(service);
    if (service !== 'server') await pause(AFTER_THE_KILL_MS);
    const startedNs = process.hrtime.bigint();
    await cluster.start(service);
    await cluster.settled();
    await pause(BEFORE_THE_KILL_MS);
    const records = await load.stop();
    const since = service === 'server' ? startedNs : killedNs;
    const wait = longestWait(records, since, (node) => node !== service);
    waits[service === 'server' ? 'server' : 'cacher'].push(wait);
    return records;
  };

  /** A read of every file on every node, when the round is over, as part of its history. */
  const lastReads = async (): Promise<CommandRecord[]> => {
    const records: CommandRecord[] = [];
    for (const [node, fs] of await applications()) {
      records.push(...(await readAll(node, fs, FILES, TEXT_BYTES)));
    }
    return records;
  };

  it(`is linearizable and loses nothing over ${KILLS} kills of each container in turn`, async () => {
    // Another test of the same cluster may have lost some on purpose.
    const { lostFiles } = await cluster.serverStatus();
    for (let round = 0; round < KILLS; round++) {
      const service = SERVICES[round % SERVICES.length] ?? 'server';
      const before = await contents();
      const records = await oneRound(round, service);
      const history = [...records, ...(await lastReads())];
      const { lines } = judgeHistory(history, (file) => before.get(file) ?? new Uint8Array());
      expect(lines.join('\n'), `kill ${round + 1}, of ${service}`).to.match(/^linearizable: yes/);
      acknowledged += records.filter(({ copies }) => copies !== undefined).length;
      expect((await cluster.serverStatus()).lostFiles).to.deep.equal(lostFiles);
    }
    console.log(`      ${KILLS} kills, ${acknowledged} acknowledged writes, 0 lost`);
    for (const [kind, each] of Object.entries(waits)) {
      console.log(`      service pause after a kill of a ${kind}: ${pausesInWords(each)}`);
    }
  });
});
