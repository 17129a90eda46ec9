/** Does I/O: a local cluster in network namespaces, and the engine `tc` at it; as root. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { clusterPaths, requireClusterConfig, serverAddress } from '../../cli/cluster_config.ts';
import { networkUnavailable } from '../../cli/cluster_network.ts';
import { AGENT_FOLDER } from '../../netem/agent_socket.ts';
import { hasNetem } from '../../netem/tc_engine.ts';
import { coopfs, endOf, startCoopfs, type Ended } from './coopfs.ts';
import { agentTraces, networkNameIn, processesOf, traces } from './network_traces.ts';

interface Shown {
  readonly links: readonly { readonly from: string; readonly to: string; readonly loss: number }[];
}

const POLL_MS = 20;

const pathOf = (tool: string): string =>
  execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();

const SET = 'open 1 1\nwrite 1 hello\nclose 1\n';

describe('a local cluster in network namespaces', function () {
  this.timeout(120_000);
  let folder = '';
  let dir = '';

  before(function () {
    const reason = networkUnavailable();
    if (reason === undefined) return;
    console.log(`      left out: ${reason}`);
    this.skip();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-namespaces-'));
    dir = join(folder, 'c');
  });

  /** Names of networks that a test has seen. */
  const names = new Set<string>();

  /** The name of the network that the cluster has now. */
  const nameNow = (of = dir): string => {
    const name = networkNameIn(of) ?? '';
    names.add(name);
    return name;
  };

  const down = (of = dir): Promise<Ended> => coopfs(['cluster', 'down', '--dir', of]);

  afterEach(async () => {
    if (existsSync(join(dir, 'cluster.json'))) {
      nameNow();
      await down();
    }
    rmSync(folder, { recursive: true });
    expect([...names].flatMap(traces)).to.deep.equal([]);
    names.clear();
  });

  const up = (...flags: readonly string[]): Promise<Ended> =>
    coopfs(['cluster', 'up', '--dir', dir, '--cachers', '2', ...flags]);

  const netem = (...args: readonly string[]): Promise<Ended> =>
    coopfs(['netem', ...args, '--dir', dir]);

  /** Kills all daemons, as a machine does that loses its power; the network is left. */
  const killAll = (): void => {
    for (const each of ['server', 'n1', 'n2'] as const) {
      const [pid] = readFileSync(clusterPaths(dir).pid(each), 'utf8').split('\n');
      process.kill(Number(pid), 'SIGKILL');
    }
  };

  const serves = async (of = dir): Promise<boolean> =>
    (await coopfs(['cluster', 'status', '--dir', of])).status === 0;

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
    const name = nameNow();
    expect(traces(name)).to.deep.equal([
      ...[name, name],
      ...['n1', 'n2', 'n3', 'server'].map((each) => `${name}-${each}`),
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
    if (await hasNetem(['unshare', '--net', '--'])) {
      expect(out).to.match(/over, nothing of it is left/);
    } else expect(err + out).to.match(/^coopfs netem run: n1: this kernel has no sch_netem/);

    // Both engines are healed unless one is named.
    expect((await netem('heal')).status).to.equal(0);
    expect(await lossOf('n1>n3')).to.equal(0);
  });

  it('is the same cluster after it was down and after kill -9 of all of it, in a new network', async () => {
    expect((await up('--namespaces')).status).to.equal(0);
    const first = nameNow();
    expect((await down()).status).to.equal(0);
    expect(traces(first)).to.deep.equal([]);
    const { err, status } = await netem('partition', 'n1', '|', 'n2', '--engine', 'tc', '-d');
    expect(status).to.equal(1);
    expect(err).to.match(
      /: n1 has no network namespace: the cluster does not run; start it by "coopfs cluster up --dir /,
    );
    expect(await up()).to.include({ status: 0, err: '' });
    const second = nameNow();
    killAll();
    // What is left may be half of a network.
    execFileSync('ip', ['netns', 'del', `${second}-n1`]);
    expect(await up()).to.include({ status: 0, err: '' });
    expect(traces(second)).to.deep.equal([]);
    expect(new Set([first, second, nameNow()]).size).to.equal(3);
    const config = requireClusterConfig(clusterPaths(dir));
    expect(serverAddress(config)).to.match(/^10\.\d+\.\d+\.1:7000$/);
    expect(await serves()).to.equal(true);
  });

  it('is mended while it runs', async () => {
    expect((await up('--namespaces')).status).to.equal(0);
    const name = nameNow();
    execFileSync('ip', ['-n', `${name}-n1`, 'link', 'del', 'e0']);
    execFileSync('ip', ['netns', 'del', name]);
    const again = await up();
    expect(again.out).to.match(/^already running: server, n1, n2$/m);
    expect(nameNow()).to.equal(name);
    expect(await serves()).to.equal(true);
    expect(await lossOf('server>n1', '--engine', 'tc')).to.equal(0);
  });

  it('has its network by its folder, wherever that is, and not by its name', async () => {
    expect((await up('--namespaces')).status).to.equal(0);
    nameNow();
    expect((await down()).status).to.equal(0);
    const copy = join(folder, 'copy');
    cpSync(dir, copy, { recursive: true });
    expect((await up()).status).to.equal(0);
    // A cluster.json with the network of a cluster that runs.
    const { network } = requireClusterConfig(clusterPaths(dir));
    const copied = requireClusterConfig(clusterPaths(copy));
    writeFileSync(join(copy, 'cluster.json'), JSON.stringify({ ...copied, network }));
    const there = traces(nameNow());
    expect((await down(copy)).status).to.equal(0);
    expect(traces(nameNow())).to.deep.equal(there);
    expect(await serves()).to.equal(true);

    killAll();
    const link = join(folder, 'link');
    symlinkSync(dir, link);
    expect((await coopfs(['cluster', 'up', '--dir', link])).status).to.equal(0);
    expect(await serves()).to.equal(true);
    nameNow();
    expect((await down()).status).to.equal(0);
    expect([...names].flatMap(traces)).to.deep.equal([]);
  });

  it('takes a node called hub, and takes away only what an add that fails has made', async () => {
    expect((await up('--namespaces')).status).to.equal(0);
    const before = traces(nameNow());
    const config = requireClusterConfig(clusterPaths(dir));
    const add = (...flags: readonly string[]): Promise<Ended> =>
      coopfs(['cluster', 'add', '--dir', dir, ...flags]);
    const taken = join(clusterPaths(dir).run, 'hub.netem');
    mkdirSync(join(taken, 'folder'), { recursive: true });
    const failed = await add('--name', 'hub');
    expect(failed.status).to.equal(1);
    expect(failed.err).to.contain(taken);
    const { mtimeMs } = statSync(join(dir, 'cluster.json'));
    const many = await add('--count', '251');
    expect(statSync(join(dir, 'cluster.json')).mtimeMs, 'not even written').to.equal(mtimeMs);
    expect(many.err).to.match(/at most 252 cachers, not 253/);
    expect(many.status).to.equal(2);
    expect(traces(nameNow())).to.deep.equal(before);
    expect(requireClusterConfig(clusterPaths(dir))).to.deep.equal(config);
    rmSync(taken, { recursive: true });
    expect(await add('--name', 'hub')).to.include({ status: 0, err: '' });
    expect(await serves()).to.equal(true);
  });

  it('is refused before anything is made of it if it would be too large', async () => {
    const { status, err } = await up('--namespaces', '--cachers', '253');
    expect(status).to.equal(2);
    expect(err).to.match(/at most 252 cachers, not 253/);
    expect(existsSync(dir)).to.equal(false);
  });

  it('has no agents any more a moment after it is down', async () => {
    expect((await up('--namespaces')).status).to.equal(0);
    nameNow();
    const before = agentTraces();
    const cut = await netem('partition', 'n1', '|', 'n2', '--engine', 'tc', '-d');
    expect(cut).to.include({ status: 0, err: '' });
    const theirs = agentTraces().filter((each) => !before.includes(each));
    expect(theirs).to.have.length(2);
    expect((await down()).status).to.equal(0);
    // Bounded by mocha.
    while (agentTraces().some((each) => theirs.includes(each))) await pause(POLL_MS);
  });

  it('says before the first step that a tool is missing which a fault needs', async () => {
    expect((await up('--namespaces')).status).to.equal(0);
    nameNow();
    const tools = join(folder, 'tools');
    mkdirSync(tools);
    for (const tool of ['ip', 'tc', 'nsenter', 'sh']) {
      symlinkSync(pathOf(tool), join(tools, tool));
    }
    const scenario = join(folder, 'scenario.yaml');
    const fault = '{ at: 100ms, apply: lossy, link: n1>n2, for: 100ms }';
    writeFileSync(scenario, `about: one fault\nsteps: [${fault}]\nend: 300ms\n`);
    const args = ['netem', 'run', scenario, '--dir', dir, '--engine', 'tc'];
    const { status, out, err } = await coopfs(args, { env: { PATH: tools } });
    if (await hasNetem(['unshare', '--net', '--'])) {
      expect(status, err).to.equal(0);
      return;
    }
    expect(status).to.equal(1);
    expect(err).to.equal(
      'coopfs netem run: n1: the engine tc needs nft, which is not here: install nftables\n',
    );
    expect(out).to.equal('');
  });

  it('is not made any more by a command that is killed before its turn', async () => {
    const script = `exec 9>>${AGENT_FOLDER}/networks.lock; flock 9; echo; read -r _`;
    mkdirSync(AGENT_FOLDER, { recursive: true, mode: 0o700 });
    const holder = spawn('sh', ['-ec', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const command = startCoopfs(['cluster', 'up', '--dir', dir, '--cachers', '2', '--namespaces']);
    const ended = endOf(command);
    // Bounded by mocha: its script waits for the lock.
    while (networkNameIn(dir) === undefined) await pause(POLL_MS);
    const name = nameNow();
    while (processesOf(`name=${name}`).length === 0) await pause(POLL_MS);
    expect(traces(name)).to.deep.equal([]);
    command.kill('SIGKILL');
    await ended;
    holder.stdin.end();
    while (processesOf(`name=${name}`).length > 0) await pause(POLL_MS);
    expect(traces(name)).to.deep.equal([]);
  });

  it('leaves nothing when it does not come up', async () => {
    // What a daemon shall listen at is in the way of its socket.
    const taken = join(clusterPaths(dir).run, 'n2.netem');
    mkdirSync(join(taken, 'folder'), { recursive: true });
    const devices = readdirSync('/sys/class/net');
    const { status, err } = await up('--namespaces');
    expect(status).to.be.greaterThan(0);
    expect(err).to.contain(taken);
    expect(existsSync(join(dir, 'cluster.json'))).to.equal(false);
    const its = readdirSync('/sys/class/net').filter((each) => !devices.includes(each));
    expect(its.filter((each) => each.startsWith('coopfs'))).to.deep.equal([]);
  });

  it('says why it does not come up, whatever else fails then, and is not forgotten if it is left', async () => {
    const taken = join(clusterPaths(dir).run, 'n2.netem');
    mkdirSync(join(taken, 'folder'), { recursive: true });
    const tools = join(folder, 'tools');
    mkdirSync(tools);
    const real = pathOf('ip');
    const script = `#!/bin/sh\n[ "$1 $2" != "netns del" ] || exit 1\nexec ${real} "$@"\n`;
    writeFileSync(join(tools, 'ip'), script, { mode: 0o755 });
    const PATH = `${tools}:${process.env['PATH'] ?? ''}`;
    const args = ['cluster', 'up', '--dir', dir, '--cachers', '2', '--namespaces'];
    const { status, err } = await coopfs(args, { env: { PATH } });
    expect(status).to.equal(1);
    expect(err).to.contain(taken);
    expect(traces(nameNow())).to.not.deep.equal([]);
    // So "cluster down" finds it, after this test.
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
