/** Does I/O: a local cluster in network namespaces, and the engine `tc` at it; as root. */

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { clusterPaths, requireClusterConfig, serverAddress } from '../../cli/cluster_config.ts';
import { NAMESPACES, networkName } from '../../cli/cluster_network.ts';
import { hasNetem } from '../../netem/tc_engine.ts';
import { namespacesUnavailable } from '../netem/namespaces.ts';
import { coopfs, type Ended } from './coopfs.ts';

interface Shown {
  readonly links: readonly { readonly from: string; readonly to: string; readonly loss: number }[];
}

const SET = 'open 1 1\nwrite 1 hello\nclose 1\n';

describe('a local cluster in network namespaces', function () {
  this.timeout(120_000);
  let folder = '';
  let dir = '';

  before(function () {
    const reason = namespacesUnavailable();
    if (reason === undefined) return;
    console.log(`      left out: ${reason}`);
    this.skip();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-namespaces-'));
    dir = join(folder, 'c');
  });

  afterEach(async () => {
    if (existsSync(join(dir, 'cluster.json'))) await coopfs(['cluster', 'down', '--dir', dir]);
    rmSync(folder, { recursive: true });
    expect(leftovers()).to.deep.equal([]);
  });

  /** Namespaces, and the device of this machine, that the cluster has. */
  const leftovers = (): string[] => {
    const name = networkName(dir);
    const namespaces = existsSync(NAMESPACES) ? readdirSync(NAMESPACES) : [];
    const devices = readdirSync('/sys/class/net');
    return [...namespaces, ...devices].filter((each) => each.startsWith(name)).sort();
  };

  const up = (...flags: readonly string[]): Promise<Ended> =>
    coopfs(['cluster', 'up', '--dir', dir, '--cachers', '2', ...flags]);

  const netem = (...args: readonly string[]): Promise<Ended> =>
    coopfs(['netem', ...args, '--dir', dir]);

  const lossOf = async (link: string, ...flags: readonly string[]): Promise<number | undefined> => {
    const { out, err } = await netem('show', '--json', '--probes', '20', ...flags);
    expect(out, err).to.not.equal('');
    const { links } = JSON.parse(out) as Shown;
    return links.find(({ from, to }) => `${from}>${to}` === link)?.loss;
  };

  it('serves, takes more nodes, has its links cut by the kernel, and leaves nothing', async () => {
    expect(await up('--namespaces')).to.include({ status: 0, err: '' });
    const added = await coopfs(['cluster', 'add', '--dir', dir]);
    expect(added).to.include({ status: 0, err: '' });
    const name = networkName(dir);
    expect(leftovers()).to.deep.equal([
      name,
      ...['hub', 'n1', 'n2', 'n3', 'server'].map((each) => `${name}-${each}`),
    ]);
    const set = join(folder, 'set');
    writeFileSync(set, SET);
    const run = await coopfs(['run', '--dir', dir, '--check', `n1=${set}`, `n3=${set}`]);
    expect(run.status, run.err).to.equal(0);

    const cut = await netem('partition', 'n1', '|', 'n3', '--engine', 'tc', '-d');
    expect(cut).to.include({ status: 0, err: '' });
    // The daemons' own datagrams are lost, not only probes from namespace to namespace.
    expect([await lossOf('n1>n3'), await lossOf('n1>n2')]).to.deep.equal([1, 0]);
    expect([await lossOf('n1>n3', '--engine', 'tc')]).to.deep.equal([1]);
    // What the kernel refuses is told before the first step.
    const scenario = join(folder, 'scenario.yaml');
    const fault = '{ at: 100ms, apply: wifi, link: n1>n2, for: 100ms }';
    writeFileSync(scenario, `about: one fault\nsteps: [${fault}]\nend: 300ms\n`);
    const { out, err } = await netem('run', scenario, '--engine', 'tc');
    if (await hasNetem()) expect(out).to.match(/over, nothing of it is left/);
    else expect(err + out).to.match(/^coopfs netem run: n1: this kernel has no sch_netem/);

    // Both engines are healed unless one is named.
    expect((await netem('heal')).status).to.equal(0);
    expect(await lossOf('n1>n3')).to.equal(0);
  });

  it('is the same cluster after it was down and after kill -9 of all of it', async () => {
    expect((await up('--namespaces')).status).to.equal(0);
    expect((await coopfs(['cluster', 'down', '--dir', dir])).status).to.equal(0);
    expect(leftovers()).to.deep.equal([]);
    expect(await up()).to.include({ status: 0, err: '' });
    const paths = clusterPaths(dir);
    for (const each of ['server', 'n1', 'n2'] as const) {
      const [pid] = readFileSync(paths.pid(each), 'utf8').split('\n');
      process.kill(Number(pid), 'SIGKILL');
    }
    // What is left may be half of a network.
    execFileSync('ip', ['netns', 'del', `${networkName(dir)}-n1`]);
    expect(await up()).to.include({ status: 0, err: '' });
    expect(serverAddress(requireClusterConfig(paths))).to.match(/^10\.\d+\.\d+\.1:7000$/);
    expect((await coopfs(['cluster', 'status', '--dir', dir])).status).to.equal(0);
  });

  it('leaves nothing when it does not come up', async () => {
    // What a daemon shall listen at is in the way of its socket.
    const taken = join(clusterPaths(dir).run, 'n2.netem');
    mkdirSync(join(taken, 'folder'), { recursive: true });
    const { status, err } = await up('--namespaces');
    expect(status).to.be.greaterThan(0);
    expect(err).to.contain(taken);
    expect(leftovers()).to.deep.equal([]);
    expect(existsSync(join(dir, 'cluster.json'))).to.equal(false);
  });

  it('is not made of a cluster without namespaces, which has no engine tc', async () => {
    expect((await up()).status).to.equal(0);
    const again = await up('--namespaces');
    expect(again.status).to.equal(2);
    expect(again.err).to.match(/was made without --namespaces: leave the flag out/);
    const { status, err } = await netem('show', '--engine', 'tc');
    expect(status).to.equal(2);
    expect(err).to.match(/no network of their own; expected relay, or a cluster of .*--namespaces/);
  });
});
