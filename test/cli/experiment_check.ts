/** Does I/O: `coopfs experiment` as users type it; by a command of its own, since it takes long. */

import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { coopfs, endOf, startCoopfs } from './coopfs.ts';

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

  it('kills a node over a link that loses, loses no write, and writes a report', async () => {
    const out = join(folder, 'whole');
    const { status, err } = await coopfs(['experiment', 'survival', '--quick', '--out', out]);
    expect(status, err).to.equal(0);
    const { partial, experiments } = dataIn(out);
    expect(partial).to.equal(false);
    expect(experiments['survival']?.data[0]).to.include({ lost: 0, kills: 1, linearizable: true });
    expect(readFileSync(join(out, 'report.html'), 'utf8')).to.match(/<h2>Two copies survive kills/);
  });

  /** Experiments that have begun: the cluster of the first one serves. */
  const begun = async (out: string) => {
    const before = clusters();
    const child = startCoopfs(['experiment', 'survival', 'timeline', '--quick', '--out', out]);
    const end = endOf(child);
    // Bounded by mocha.
    while (true) {
      await pause(POLL_MS);
      const mine = clusters().find((name) => !before.includes(name));
      const sockets = mine === undefined ? '' : join(tmpdir(), mine, 'c', 'run');
      if (mine === undefined || !existsSync(sockets)) continue;
      if (readdirSync(sockets).includes('n1.sock')) return { child, end, mine };
    }
  };

  /** Processes whose command line has this in it. */
  const processesOf = (name: string): string[] =>
    readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(name);
      } catch {
        return false;
      }
    });

  it('leaves no process and a partial report when it is interrupted', async () => {
    const out = join(folder, 'part');
    const { child, end, mine } = await begun(out);
    child.kill('SIGINT');
    const { status, err } = await end;
    expect(status).to.equal(1);
    expect(err).to.match(/interrupted by SIGINT|1\/2/);
    expect(dataIn(out).partial).to.match(/interrupted after 0 of 2 steps/);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).to.match(/This report is partial/);
    expect(clusters(), 'the cluster is gone').to.not.include(mine);
  });

  it('leaves no process and no folder when it is killed', async () => {
    const { child, end, mine } = await begun(join(folder, 'killed'));
    expect(processesOf(mine).length).to.be.greaterThan(1);
    child.kill('SIGKILL');
    await end;
    // Bounded by mocha: its cluster is stopped in order.
    while (clusters().includes(mine) || processesOf(mine).length > 0) await pause(POLL_MS);
  });

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
