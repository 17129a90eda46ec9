/** Does I/O: `coopfs experiment` as users type it; by a command of its own, since it takes long. */

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { queuesUnavailable } from '../netem/namespaces.ts';
import { coopfs, endOf, startCoopfs } from './coopfs.ts';
import { agentTraces, networkNameIn, processesOf, traces } from './network_traces.ts';

const POLL_MS = 20;

interface Data {
  readonly partial: string | false;
  readonly experiments: Readonly<
    Record<string, { readonly missing?: string; readonly data: readonly object[] }>
  >;
}

describe('coopfs experiment', function () {
  this.timeout(120_000);
  let folder = '';

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-experiments-'));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  /** Folders of clusters of processes that there are now. */
  const clusters = (): string[] =>
    readdirSync(tmpdir()).filter((name) => name.startsWith('coopfs-processes-'));

  const dataIn = (out: string): Data =>
    JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Data;

  /** Experiments that have begun: the cluster of the first one serves. */
  const begun = async (out: string, engine: string) => {
    const before = clusters();
    const names = ['survival', 'timeline'];
    const flags = ['--quick', '--engine', engine, '--out', out];
    const child = startCoopfs(['experiment', ...names, ...flags]);
    const end = endOf(child);
    // Bounded by mocha.
    while (true) {
      await pause(POLL_MS);
      const mine = clusters().find((name) => !before.includes(name));
      const sockets = mine === undefined ? '' : join(tmpdir(), mine, 'c', 'run');
      if (mine === undefined || !existsSync(sockets)) continue;
      if (!readdirSync(sockets).includes('n1.sock')) continue;
      return { child, end, mine, network: networkNameIn(join(tmpdir(), mine, 'c')) };
    }
  };

  /** What is there of the network of a cluster; the name is in its folder as long as that is there. */
  const networkOf = (name: string | undefined): string[] =>
    name === undefined ? [] : traces(name);

  /** Agents end a moment after the last command, bounded by mocha. */
  const agentsEnd = async (before: readonly string[]): Promise<void> => {
    while (agentTraces().some((each) => !before.includes(each))) await pause(POLL_MS);
  };

  for (const engine of ['relay', 'tc']) {
    describe(`with the engine ${engine}`, () => {
      before(function () {
        const reason = engine === 'tc' ? queuesUnavailable() : undefined;
        if (reason === undefined) return;
        console.log(`        left out: ${reason}`);
        this.skip();
      });

      it('kills a node over a link that loses, loses no write, and writes a report', async () => {
        const out = join(folder, `whole-${engine}`);
        const flags = ['--quick', '--engine', engine, '--out', out];
        const { status, err } = await coopfs(['experiment', 'survival', ...flags]);
        expect(status, err).to.equal(0);
        const { partial, experiments } = dataIn(out);
        expect(partial).to.equal(false);
        const found = experiments['survival']?.data[0];
        expect(found).to.include({ lost: 0, kills: 1, linearizable: true });
        const page = readFileSync(join(out, 'report.html'), 'utf8');
        expect(page).to.match(/<h2>Two copies survive kills/);
      });

      it('leaves no process and a partial report when it is interrupted', async () => {
        const out = join(folder, `part-${engine}`);
        const agents = agentTraces();
        const { child, end, mine, network } = await begun(out, engine);
        expect(networkOf(network)).to.have.length(engine === 'tc' ? 7 : 0);
        child.kill('SIGINT');
        const { status, err } = await end;
        expect(status).to.equal(1);
        expect(err).to.match(/interrupted by SIGINT|1\/2/);
        expect(dataIn(out).partial).to.match(/interrupted after 0 of 2 steps/);
        expect(readFileSync(join(out, 'report.html'), 'utf8')).to.match(/This report is partial/);
        expect(clusters(), 'the cluster is gone').to.not.include(mine);
        expect(networkOf(network)).to.deep.equal([]);
        await agentsEnd(agents);
      });

      it('leaves no process, no network and no folder when it is killed', async () => {
        const agents = agentTraces();
        const out = join(folder, `killed-${engine}`);
        const { child, end, mine, network } = await begun(out, engine);
        expect(processesOf(mine).length).to.be.greaterThan(1);
        child.kill('SIGKILL');
        await end;
        // Bounded by mocha: its cluster is stopped in order.
        while (clusters().includes(mine) || processesOf(mine).length > 0) await pause(POLL_MS);
        expect(networkOf(network)).to.deep.equal([]);
        await agentsEnd(agents);
      });
    });
  }

  /** Seeds of simulators that a test has stopped. */
  const standing: string[] = [];

  afterEach(() => {
    for (const pid of standing.splice(0).flatMap(processesOf)) process.kill(Number(pid), 'SIGKILL');
  });

  it('does the same in virtual time, with figures that follow from the seed', async () => {
    const found = [];
    for (const name of ['sim', 'again']) {
      const out = join(folder, name);
      const flags = ['--engine', 'sim', '--quick', '--seed', '5', '--out', out];
      const { status, err } = await coopfs(['experiment', 'survival', ...flags]);
      expect(status, err).to.equal(0);
      found.push(dataIn(out).experiments['survival']);
    }
    const [first, again] = found;
    expect(first?.data[0]).to.include({ seeds: 4, kills: 16, lost: 0, linearizable: true });
    expect(again).to.deep.equal(first);
    expect(readFileSync(join(folder, 'sim', 'report.html'), 'utf8')).to.match(/ms are virtual/);
  });

  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    it(`leaves no process of the simulator on ${signal}`, async () => {
      // The seed of a run is on the command line of its processes.
      const [seed, mine] = signal === 'SIGINT' ? ['41001', '4100100'] : ['41002', '4100200'];
      const flags = ['--engine', 'sim', '--seed', seed, '--out', join(folder, seed)];
      const child = startCoopfs(['experiment', 'survival', ...flags]);
      const end = endOf(child);
      // Bounded by mocha: the simulator, and then its workers.
      while (processesOf(mine).length === 0) await pause(POLL_MS);
      const simulator = processesOf(mine);
      while (processesOf(mine).length === simulator.length) await pause(POLL_MS);
      const workers = processesOf(mine).filter((pid) => !simulator.includes(pid));
      // Those that stand still do not come to their end by themselves.
      for (const pid of workers) process.kill(Number(pid), 'SIGSTOP');
      standing.push(mine);
      child.kill(signal);
      const { status } = await end;
      if (signal === 'SIGINT') {
        expect(status).to.equal(1);
        expect(processesOf(mine)).to.deep.equal([]);
        expect(dataIn(join(folder, seed)).partial).to.match(/interrupted after 0 of 11 steps/);
      }
      // Bounded by mocha: whoever was not told that it should end notices it.
      while (processesOf(mine).length > 0) await pause(POLL_MS);
    });
  }

  it('fails, with a report that says why, when its engine can do none of what was asked', async () => {
    const out = join(folder, 'none');
    const { status, out: told } = await coopfs([
      'experiment',
      'loss',
      '--engine',
      'sim',
      '--out',
      out,
    ]);
    expect(status).to.equal(1);
    expect(told).to.match(/^loss: Left out: /);
  });

  it('says what there is where it is asked for something else', async () => {
    const wrong = await coopfs(['experiment', 'speed', '--out', join(folder, 'none')]);
    expect(wrong.status).to.equal(2);
    expect(wrong.err).to.match(/no experiment "speed": expected some of loss, rtt, survival/);
    const engine = await coopfs(['experiment', '--engine', 'cable']);
    expect(engine.err).to.match(/--engine "cable" is not right: expected relay, tc or sim/);
  });
});
