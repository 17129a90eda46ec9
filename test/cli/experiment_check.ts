/** Does I/O: `coopfs experiment` as users type it; by a command of its own, since it takes long. */

import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { coopfs, endOf, startCoopfs } from './coopfs.ts';

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

  it('leaves no process and a partial report when it is interrupted', async () => {
    const out = join(folder, 'part');
    const before = clusters();
    const child = startCoopfs(['experiment', 'survival', 'timeline', '--quick', '--out', out]);
    const end = endOf(child);
    let mine: string | undefined;
    // Bounded by mocha: until the cluster of the first experiment serves.
    const isUp = (): boolean => {
      mine = clusters().find((name) => !before.includes(name));
      if (mine === undefined) return false;
      try {
        return readdirSync(join(tmpdir(), mine, 'c', 'run')).includes('n1.sock');
      } catch {
        return false;
      }
    };
    while (!isUp()) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    const { status, err } = await end;
    expect(status).to.equal(1);
    expect(err).to.match(/interrupted by SIGINT|1\/2/);
    expect(dataIn(out).partial).to.match(/interrupted after 0 of 2 steps/);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).to.match(/This report is partial/);
    expect(clusters(), 'the cluster is gone').to.not.include(mine);
  });

  it('says what there is where it is asked for something else', async () => {
    const wrong = await coopfs(['experiment', 'speed', '--out', join(folder, 'none')]);
    expect(wrong.status).to.equal(2);
    expect(wrong.err).to.match(/no experiment "speed": expected some of loss, rtt, survival/);
    const engine = await coopfs(['experiment', '--engine', 'cable']);
    expect(engine.err).to.match(/--engine "cable" is not right: expected relay, tc or sim/);
  });
});
