import { expect } from 'chai';
import type { FileNumber } from '../../protocol/ids.ts';
import { EventQueue } from './event_queue.ts';
import type { FaultTargets } from './fault_kinds.ts';
import { FaultPlan, killsAlone } from './faults.ts';
import { checkSaved } from './invariants.ts';
import { Prng } from './prng.ts';
import { simulate } from './simulation.ts';
import { longestWaitMs, survivalOf, survivalOptions } from './survival.ts';

const FILE = 3 as FileNumber;

describe('survival in virtual time', () => {
  it('kills nodes alone, under load on a bad network to its end, and loses nothing', () => {
    const lines: string[] = [];
    const result = simulate(survivalOptions(3, 'geo-satellite'), (line) => lines.push(line));
    const { failure, counters, survival } = result;
    expect(failure, 'replay: npm run sim -- --survival --profile geo-satellite --seed 3').to.equal(
      undefined,
    );
    expect(survival).to.include({ leaseMs: 2560, kills: 4, lost: 0, linearizable: true });
    expect(counters).to.include({ crashes: 4, restarts: 4, serverCrashes: 0, partitions: 0 });
    const at = (what: RegExp): number[] =>
      lines.filter((line) => what.test(line)).map((line) => Number(line.split(' ', 1)[0]));
    const overMs = at(/the faults are over/)[0] ?? 0;
    const crashesMs = at(/n\d crashes$/);
    const calls = at(/getModified/).filter((ms) => ms < overMs);
    for (const crashMs of crashesMs) {
      expect(calls.some((ms) => ms > crashMs)).to.equal(true);
      expect(calls.some((ms) => ms < crashMs)).to.equal(true);
    }
    expect(Math.max(...at(/getModified/)), 'no load after the end').to.be.lessThan(overMs);
    expect(survival?.longestWaitMs).to.be.greaterThan(0);
  });

  it('has nobody wait for an order to be repeated when a node has started again', () => {
    const { failure, survival } = simulate(survivalOptions(2, 'dc'), () => undefined);
    expect(failure, 'replay: npm run sim -- --survival --profile dc --seed 2').to.equal(undefined);
    expect(survival?.longestWaitMs).to.be.lessThan(1000);
  });

  it('has leases and spaces between kills that fit its profile', () => {
    expect(survivalOptions(1, undefined).killSpacingMs).to.equal(1500);
    expect(survivalOptions(1, 'geo-satellite').killSpacingMs).to.equal(7200);
  });

  it('kills nobody while the cluster is not whole, and then one node at a time', () => {
    const queue = new EventQueue();
    const killedMs: number[] = [];
    const unused = (): never => expect.fail('no other fault');
    const targets: FaultTargets = {
      cachers: 4,
      leaseMs: 400,
      crashCacher: () => killedMs.push(queue.now),
      leave: unused,
      forget: unused,
      crashServer: unused,
      pauseCacher: unused,
      pauseServer: unused,
      slowDisk: unused,
      cutOff: unused,
      flipBit: unused,
      isWhole: () => queue.now >= (killedMs.at(-1) ?? 0) + 5000,
    };
    const plan = new FaultPlan(queue, new Prng(1), targets, killsAlone(5, 100));
    while (!plan.over) {
      if (!queue.step()) queue.at(queue.now + 1, () => undefined);
    }
    expect(killedMs).to.have.length(5);
    for (const [index, ms] of killedMs.entries()) {
      expect(ms - (killedMs[index - 1] ?? 0)).to.be.within(5000, 5100);
    }
  });

  it('counts the waits of those that live, from the kill on', () => {
    const kills = [{ node: 'n1', atMs: 100 }];
    const call = (process: string, startNs: number, endNs: number) => ({ process, startNs, endNs });
    expect(longestWaitMs([call('n2.0', 90, 150), call('n2.1', 110, 130)], kills)).to.equal(50);
    expect(longestWaitMs([call('n1.0', 90, 150), call('n2.0', 10, 99)], kills)).to.equal(0);
  });

  it('counts what the disk lacks, and what was declared lost', () => {
    const version = (counter: number) => ({ term: 1, counter });
    const history = {
      operations: [],
      linearizable: undefined,
      unsaved: 0,
      acknowledged: new Map([[FILE, version(4)]]),
      writes: [1, 2, 3, 4].map((counter) => ({ file: FILE, version: version(counter) })),
    };
    const server = {
      meta: () => ({ version: version(2), mark: undefined, outcomes: [], losses: 0 }),
    };
    expect(() => {
      checkSaved(server, history);
    }).to.throw(/file 3: the disk lacks what was acknowledged/);
    const run = { history, kills: [], losses: { count: 1 }, leaseMs: 400 };
    expect(survivalOf(run)).to.include({ lost: 3, linearizable: undefined });
  });
});
