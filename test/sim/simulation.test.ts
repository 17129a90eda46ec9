import { expect } from 'chai';
import { FAULT_KINDS } from './fault_kinds.ts';
import { simulate } from './simulation.ts';
import type { SimulationOptions } from './simulation_options.ts';

const options = (seed: number, change: Partial<SimulationOptions> = {}): SimulationOptions => ({
  seed,
  cachers: 3,
  applications: 2,
  directClients: seed % 2,
  files: 5,
  blocksPerFile: 2,
  pages: 4 + 2 * (seed % 3),
  operations: 30,
  breaks: 0,
  faults: 0,
  apart: false,
  losses: false,
  serverWaitMs: 20_000,
  clockDrift: 0,
  clocksAtLimit: false,
  leaseMs: 400,
  openPolicy: 'share',
  degradedPolicy: 'write-through',
  recoveriesAtOnce: 2,
  links: 'rudp',
  idleTimeoutMs: 1500,
  encrypted: false,
  loss: 0.1,
  duplicate: 0.05,
  reorder: 0.05,
  corrupt: 0.01,
  ...change,
});

describe('the cluster in virtual time', () => {
  for (let seed = 1; seed <= 6; seed++) {
    it(`keeps its promises over a network that loses a tenth of all datagrams (seed ${seed})`, () => {
      const { failure, operations } = simulate(options(seed));
      expect(failure, `replay: npm run sim -- --seed ${seed}`).to.equal(undefined);
      expect(operations).to.be.greaterThan(50);
    });
  }

  it('keeps its promises over a profile of netem, and replays that to the same trace', () => {
    const first = simulate(options(9, { profile: 'wifi-bad' }));
    expect(first.failure).to.equal(undefined);
    expect(first.counters['lost']).to.be.greaterThan(0);
    expect(simulate(options(9, { profile: 'wifi-bad' })).hash).to.equal(first.hash);
  });

  it('keeps its promises with encryption, and replays that to the same trace', () => {
    const first = simulate(options(7, { encrypted: true }));
    expect(first.failure).to.equal(undefined);
    expect(simulate(options(7, { encrypted: true })).hash).to.equal(first.hash);
  });

  for (let seed = 101; seed <= 108; seed++) {
    it(`keeps its promises while links break and lose what is under way (seed ${seed})`, () => {
      const { failure, counters } = simulate(options(seed, { links: 'direct', breaks: 12 }));
      expect(failure).to.equal(undefined);
      expect(counters['linksBroken']).to.be.greaterThan(0);
    });
  }

  it('keeps its promises through every kind of fault, each of which happens', () => {
    const met: Record<string, number> = {};
    for (let seed = 300; seed < 306; seed++) {
      const { failure, counters } = simulate(
        options(seed, {
          links: 'direct',
          faults: 14,
          losses: true,
          clockDrift: 0.1,
          operations: 20,
        }),
      );
      expect(failure, `seed ${seed}`).to.equal(undefined);
      for (const [name, value] of Object.entries(counters)) met[name] = (met[name] ?? 0) + value;
    }
    for (const kind of FAULT_KINDS) expect(met[kind], kind).to.be.greaterThan(0);
    expect(met['restarts']).to.be.greaterThan(0);
    expect(met['serverRestarts']).to.be.greaterThan(0);
  });

  it('does the same again for the same seed, and something else for another', () => {
    const lines: string[] = [];
    const first = simulate(options(42), (line) => lines.push(line));
    const again: string[] = [];
    const second = simulate(options(42), (line) => again.push(line));
    expect(second.hash).to.equal(first.hash);
    expect(again).to.deep.equal(lines);
    expect(simulate(options(43)).hash).not.to.equal(first.hash);
  });

  it('meets evictions, recirculation, write-backs, writes through and refused backups', () => {
    const met: Record<string, number> = {};
    for (let seed = 200; seed < 208; seed++) {
      const { failure, counters } = simulate(options(seed, { links: 'direct', pages: 4 }));
      expect(failure).to.equal(undefined);
      for (const [name, value] of Object.entries(counters)) met[name] = (met[name] ?? 0) + value;
    }
    const wanted = [
      'readsLocal',
      'readsPeer',
      'readsServer',
      'readsDisk',
      'readsThrough',
      'writesTwoMemories',
      'writesDisk',
      'evictionsClean',
      'evictionsWrittenBack',
      'recirculated',
      'backupsRefused',
    ];
    for (const name of wanted) expect(met[name], name).to.be.greaterThan(0);
  });
});
