/** Does I/O: `coopfs netem` on a cluster in containers, with both engines; nothing of it is left. */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { endOf, type Ended } from '../cli/coopfs.ts';
import {
  NODES,
  readFile,
  sharedCluster,
  writeFile,
  type ComposeCluster,
} from './compose_cluster.ts';
import { docker } from './engine.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const SERVICES = ['server', ...NODES];
const POLL_MS = 200;
/** All that the engine tc may put into a container, and nothing that is there without it. */
const TRACES = `
tc qdisc show | grep -v '^qdisc noqueue 0: '
ip -oneline link show | grep cfs-
nft list tables | grep coopfs
grep -l agent_mai[n] /proc/[0-9]*/cmdline 2>/dev/null
ls /run/coopfs-netem 2>/dev/null
true`;
/** Far more bytes than a narrow link and its queue take at once. */
const FLOOD = `for (let socket = 0; socket < 8; socket++) {
  const s = require('dgram').createSocket('udp4');
  let left = 100;
  const sent = () => --left || s.close();
  for (let i = left; i > 0; i--) s.send(Buffer.alloc(1000), 9, process.argv[1], sent);
}`;

interface Link {
  readonly from: string;
  readonly to: string;
  readonly lossConfigured: number;
  readonly loss?: number;
}

describe('coopfs netem on a cluster in containers', function () {
  this.timeout(120_000);
  let cluster: ComposeCluster;
  const children: ChildProcess[] = [];

  before(async () => {
    cluster = await sharedCluster();
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await cluster.settled();
  });

  /** As users do: compiled. */
  const start = (args: readonly string[]): ChildProcess => {
    const words = [MAIN, 'netem', ...args, '--compose'];
    const env = { ...process.env, ...cluster.environment };
    return spawn(process.execPath, words, { env, stdio: 'pipe' });
  };

  const netem = (...args: readonly string[]): Promise<Ended> => endOf(start(args));

  /** Starts a command that holds; resolves when it says that it does. */
  const hold = async (...args: readonly string[]): Promise<ChildProcess> => {
    const child = start(args);
    children.push(child);
    await new Promise((resolve, reject) => {
      let err = '';
      child.stderr?.on('data', (text: Buffer) => (err += text.toString()));
      child.stdout?.once('data', resolve);
      child.once('close', () => {
        reject(new Error(err));
      });
    });
    return child;
  };

  const linksBy = async (engine: string, probes: number): Promise<Link[]> => {
    const args = ['--engine', engine, '--json', '--probes', String(probes)];
    const { status, out, err } = await netem('show', ...args);
    expect(status, err).to.equal(0);
    return (JSON.parse(out) as { links: Link[] }).links;
  };

  const linkOf = (links: readonly Link[], name: string): Link => {
    const link = links.find(({ from, to }) => `${from}>${to}` === name);
    if (link === undefined) throw new Error(`there is no link ${name}`);
    return link;
  };

  const asRoot = async (node: string, ...command: readonly string[]): Promise<string> =>
    docker('exec', '--user', 'root', await cluster.container(node), ...command);

  const inNode = async (node: string, ...args: readonly string[]): Promise<string> =>
    docker('exec', await cluster.container(node), 'coopfs', 'netem', ...args);

  const traces = async (): Promise<string[]> => {
    const found = await Promise.all(
      SERVICES.map(async (node) => {
        const text = await asRoot(node, 'sh', '-c', TRACES);
        return text === '' ? [] : text.split('\n').map((line) => `${node}: ${line}`);
      }),
    );
    return found.flat();
  };

  /** Datagrams that queues with a bound have dropped. */
  const overflowed = async (node: string): Promise<number> => {
    const text = await asRoot(node, 'tc', '-json', '-statistics', 'qdisc', 'show');
    const queues = JSON.parse(text) as {
      kind: string;
      drops: number;
      options: { rate?: unknown };
    }[];
    const bound = queues.filter(({ options }) => options.rate !== undefined);
    expect(bound, text).to.have.length(1);
    return bound.reduce((sum, { drops }) => sum + drops, 0);
  };

  describe('with the engine relay', () => {
    it('loses on every link what a profile says, without any privilege, and loses no data', async () => {
      await hold('apply', 'dc-lossy');
      const links = await linksBy('relay', 0);
      expect(links).to.have.length(SERVICES.length * NODES.length);
      for (const { lossConfigured } of links) expect(lossConfigured).to.be.closeTo(0.0099, 0.0001);
      await writeFile(await cluster.at('n1'), 21, 'over links that lose');
      const found = await readFile(await cluster.at('n3'), 21, 'over links that lose'.length);
      expect(found).to.equal('over links that lose');
      expect((await netem('clear')).out).to.equal('cleared: dc-lossy\n');
    });

    it('is there in a container, for its own node, and cleared from the host', async () => {
      expect(await inNode('n1', 'apply', 'dc', '-d')).to.match(/^dc on all that n1 sends and gets/);
      expect(await inNode('n1', 'show')).to.match(/^n1: dc, to everybody/);
      expect(await inNode('n2', 'show')).to.equal('nothing is applied');
      expect((await netem('clear', '--all')).out).to.equal('cleared: dc\n');
      expect(await inNode('n1', 'show')).to.equal('nothing is applied');
    });

    it('carries out a scenario that kills, starts and pauses containers', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'coopfs-scenario-'));
      const file = join(folder, 'short.yaml');
      const steps = [
        '{ at: 0s, apply: dc-lossy, node: n1 }',
        '{ at: 100ms, kill: n2 }',
        '{ at: 200ms, pause: n3 }',
        '{ at: 300ms, restart: n2 }',
        '{ at: 1s, continue: n3 }',
      ];
      writeFileSync(
        file,
        `about: a test\nsteps:\n${steps.map((each) => `  - ${each}\n`).join('')}`,
      );
      const { id, life } = { id: await cluster.container('n2'), life: '{{.State.StartedAt}}' };
      const before = await docker('inspect', '--format', life, id);
      const { status, out, err } = await netem('run', file);
      rmSync(folder, { recursive: true });
      expect([status, err]).to.deep.equal([0, '']);
      expect(out).to.match(/kill n2\n[^]*pause n3\n[^]*continue n3\n/);
      expect(out).to.match(/n2 serves again\n[^]*over, nothing of it is left\n$/);
      expect(await docker('inspect', '--format', life, id)).to.not.equal(before);
      const own = `label=com.docker.compose.project=${cluster.project}`;
      const paused = await docker('ps', '--quiet', '--filter', own, '--filter', 'status=paused');
      expect(paused).to.equal('');
    });
  });

  describe('with the engine tc', () => {
    it('cuts links, and killed commands leave nothing: no queue, no table, no agent', async () => {
      const killed = [
        await hold('partition', 'n1', '|', 'n2', '--engine', 'tc'),
        await hold('apply', 'lossy', '--link', 'n1>n4', '--engine', 'tc'),
      ];
      const links = await linksBy('tc', 10);
      expect(linkOf(links, 'n1>n2').loss).to.equal(1);
      expect(linkOf(links, 'n1>n3').loss).to.equal(0);
      const there = (await traces()).join('\n');
      expect(there).to.match(/^n1: qdisc htb/m);
      expect(there).to.match(/^n1: (table .*coopfs|qdisc netem)/m);
      for (const child of killed) {
        child.kill('SIGKILL');
        await endOf(child);
      }
      // Bounded by mocha: the lease, and how long an agent lingers.
      while ((await traces()).length > 0) await pause(POLL_MS);
    });

    it('loses by chance and holds a rate, with netem or without, until it is cleared', async () => {
      await hold('apply', 'lossy', '--link', 'n1>n2', '--engine', 'tc');
      await hold('apply', 'narrow', '--link', 'n1>n3', '--engine', 'tc');
      const links = await linksBy('tc', 200);
      expect(linkOf(links, 'n1>n2').loss).to.be.within(0.001, 0.2);
      expect(linkOf(links, 'n2>n1').loss).to.equal(0);
      expect(linkOf(links, 'n1>n3').loss).to.equal(0);
      expect(await overflowed('n1')).to.equal(0);
      await asRoot('n1', 'node', '-e', FLOOD, cluster.addressOf('n3'));
      expect(await overflowed('n1')).to.be.greaterThan(0);
      const { out } = await netem('clear', '--all', '--engine', 'tc');
      expect(out).to.match(/^cleared: (lossy; narrow|narrow; lossy)\n$/);
      expect(await asRoot('n1', 'sh', '-c', 'tc qdisc show; nft list tables')).to.not.match(
        /htb|coopfs/,
      );
    });

    it('applies a profile or names the engine that can; a dry run does nothing', async () => {
      const profile = await netem('apply', 'wifi', '--for', '100ms', '--engine', 'tc');
      if (profile.status !== 0) {
        expect(profile.err).to.match(/this kernel has no sch_netem, .*: use --engine relay/);
      }
      const dry = await netem('apply', 'narrow', '--link', 'n1>n2', '--engine', 'tc', '--dry-run');
      expect([dry.status, dry.err]).to.deep.equal([0, '']);
      expect(dry.out).to.match(
        /^n1: tc qdisc add dev eth0 parent c0f:2 (tbf|netem) .*rate 2000000/m,
      );
      while ((await traces()).length > 0) await pause(POLL_MS);
    });
  });
});
