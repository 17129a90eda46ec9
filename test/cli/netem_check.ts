import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { localCluster } from '../../cli/netem_cluster.ts';
import { coopfs, endOf, startCoopfs, type Ended } from './coopfs.ts';

interface Shown {
  readonly links: readonly {
    readonly from: string;
    readonly to: string;
    readonly lossConfigured: number;
    readonly rttConfiguredMs: number;
    readonly loss?: number;
    readonly rttLeastMs?: number;
  }[];
}

describe('coopfs netem on a local cluster', function () {
  this.timeout(120_000);
  let folder = '';
  let dir = '';
  const children: ChildProcess[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-netem-'));
    dir = join(folder, 'c');
    const up = await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '2', '--lease', '1s']);
    expect(up).to.include({ status: 0, err: '' });
  });

  after(async () => {
    await coopfs(['cluster', 'down', '--dir', dir]);
    rmSync(folder, { recursive: true });
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    const { nodes, dial } = localCluster(dir);
    for (const { name } of nodes) {
      const link = await dial(name).catch(() => undefined);
      await link?.ask<'clear'>({ do: 'clear', what: 'all' });
      link?.close();
    }
  });

  const netem = (...args: readonly string[]): Promise<Ended> =>
    coopfs(['netem', ...args, '--dir', dir]);

  /** Starts a command that holds; resolves when it says that it does. */
  const hold = async (...args: readonly string[]): Promise<ChildProcess> => {
    const child = startCoopfs(['netem', ...args, '--dir', dir]);
    children.push(child);
    await new Promise<void>((resolve, reject) => {
      let err = '';
      child.stdout?.once('data', () => {
        resolve();
      });
      child.stderr?.on('data', (text: Buffer) => {
        err += text.toString();
      });
      child.once('close', () => {
        reject(new Error(err));
      });
    });
    return child;
  };

  const show = async (probes: number): Promise<Shown> => {
    const { status, out, err } = await netem('show', '--json', '--probes', String(probes));
    expect(status, err).to.equal(0);
    return JSON.parse(out) as Shown;
  };

  /** What is applied, as "node label", from the agents themselves. */
  const labels = async (): Promise<string[]> => {
    const { nodes, dial } = localCluster(dir);
    const found: string[] = [];
    for (const { name } of nodes) {
      const link = await dial(name);
      const { settings } = await link.ask<'show'>({ do: 'show' });
      found.push(...settings.map(({ label }) => `${name} ${label}`));
      link.close();
    }
    return found;
  };

  const linkOf = (shown: Shown, from: string, to: string): Shown['links'][number] => {
    const link = shown.links.find((each) => each.from === from && each.to === to);
    expect(link, `${from}>${to}`).to.not.equal(undefined);
    return link!;
  };

  it('composes two faults on one link, measures them, and leaves the other direction alone', async () => {
    await hold('apply', 'transcontinental', '--link', 'n1>n2');
    await hold('apply', 'wifi-bad', '--link', 'n1>n2');
    const shown = await show(50);
    expect(await labels()).to.deep.equal(['n1 transcontinental', 'n1 wifi-bad']);
    const there = linkOf(shown, 'n1', 'n2');
    expect(there.rttConfiguredMs).to.equal(100);
    expect(there.lossConfigured).to.be.closeTo(0.0394, 0.0001);
    expect(there.loss).to.be.lessThan(0.5);
    // Four deviations less than the delay; that it is not far later is for the figures of netem/README.md.
    expect(there.rttLeastMs).to.be.greaterThan(100 - 4 * Math.hypot(20, 3) - 1);
    expect(linkOf(shown, 'n2', 'n1')).to.include({ lossConfigured: 0, loss: 0 });
    expect(linkOf(shown, 'server', 'n1')).to.include({ rttConfiguredMs: 0, loss: 0 });
  });

  it('warns when the lease of the cluster cannot survive the profile, and not else', async () => {
    const slow = await netem('apply', 'geo-satellite', '--node', 'n2', '--dry-run');
    expect(slow.err).to.match(
      /the lease of this cluster is 1000 ms, four round trips .*--lease 2600ms/,
    );
    expect(slow.out.split('\n')[0]).to.match(
      /^relay at n2, to everybody: delay 300 ± 10 ms.* 250 kbit/,
    );
    expect((await netem('apply', 'wifi', '--dry-run')).err).to.equal('');
    expect(await labels(), 'a dry run does nothing').to.deep.equal([]);
  });

  it('leaves nothing behind when the command is killed: its lease ends', async () => {
    const child = await hold('apply', 'wifi');
    expect(await labels()).to.have.length(3);
    child.kill('SIGKILL');
    await endOf(child);
    // Bounded by mocha; the lease itself is tested in virtual time.
    while ((await labels()).length > 0);
  });

  it('ends a profile by a signal, by its time, and from another command', async () => {
    const interrupted = await hold('apply', 'wifi', '--node', 'n1');
    const first = endOf(interrupted);
    interrupted.kill('SIGTERM');
    expect((await first).status).to.equal(0);
    expect(await labels()).to.deep.equal([]);

    expect((await netem('apply', 'dc', '--for', '100ms')).out).to.match(
      /ended: its time is over\n$/,
    );
    const cleared = endOf(await hold('apply', 'wifi', '--node', 'n1'));
    expect((await netem('clear')).out).to.equal('cleared: wifi\n');
    expect((await cleared).out).to.match(/ended: cleared by another command\n$/);
    expect(await labels()).to.deep.equal([]);
  });

  it('cuts groups from one another until they are healed, and profiles stay', async () => {
    const detached = await netem('apply', 'dc', '-d');
    expect(detached.out).to.match(/^dc on every link, .* for 600s, unless /);
    expect(detached.out).to.contain(`"coopfs netem clear --all --dir ${dir}" ends it before`);
    await netem('partition', 'n1', '|', 'n2', '-d');
    const cut = await show(20);
    expect(linkOf(cut, 'n1', 'n2')).to.include({ lossConfigured: 1, loss: 1 });
    expect(linkOf(cut, 'server', 'n2')).to.include({ lossConfigured: 0, loss: 0 });
    expect((await netem('heal')).out).to.equal('cleared: n1 | n2\n');
    const healed = await show(20);
    expect(await labels()).to.have.length(3);
    expect(linkOf(healed, 'n1', 'n2')).to.include({ lossConfigured: 0, loss: 0 });
  });

  it('leaves the cluster linearizable over a profile that loses', async () => {
    await hold('apply', 'dc-lossy');
    const at = (node: string, text: string): string => {
      writeFileSync(join(folder, node), text);
      return `${node}=${join(folder, node)}`;
    };
    const one = at('n1', 'open 7 1\nwrite 7 first\nbarrier b\nread 7 5\nclose 7\n');
    const two = at('n2', 'barrier b\nopen 7 1\nread 7 5\nexpect first\nwrite 7 second\nclose 7\n');
    const run = await coopfs(['run', '--dir', dir, '--check', '--json', one, two]);
    expect(run.err).to.match(/^linearizable: yes/m);
    expect(run.status).to.equal(0);
  });

  /** A scenario in a file of its own. */
  const scenario = (...steps: readonly string[]): string => {
    const file = join(folder, 'scenario.yaml');
    writeFileSync(file, `about: a test\nsteps:\n${steps.map((step) => `  - ${step}\n`).join('')}`);
    return file;
  };

  it('carries out a scenario: faults, a kill, a restart, and nothing is left', async () => {
    const file = scenario(
      '{ at: 0s, apply: dc, node: n1 }',
      '{ at: 200ms, kill: n1 }',
      '{ at: 400ms, restart: n1 }',
      '{ at: 500ms, partition: "n1 | n2", for: 300ms }',
      '{ at: 600ms, pause: n2 }',
      '{ at: 900ms, continue: n2 }',
    );
    const dry = await netem('run', file, '--dry-run');
    expect(dry.out).to.match(/^at 0s: apply dc at n1\n {4}relay at n1, to everybody: delay 0.25/);
    const { status, out, err } = await netem('run', file);
    expect(err).to.equal('');
    expect(status).to.equal(0);
    expect(out)
      .to.match(/ s {2}kill n1\n/)
      .and.match(/n1 serves again\n/);
    expect(out).to.match(/over: cut n1 \| n2\n[^]*over, nothing of it is left\n$/);
    expect(await labels()).to.deep.equal([]);
    expect((await coopfs(['cluster', 'status', '--dir', dir])).status).to.equal(0);
  });

  const stateOf = (node: string): string => {
    const pid = readFileSync(join(dir, 'run', `${node}.pid`), 'utf8').split('\n')[0] ?? '';
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  };

  it('continues what it has paused when it is interrupted, and when it is killed', async () => {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const child = await hold(
        'run',
        scenario('{ at: 0s, apply: dc }', '{ at: 10ms, pause: n2 }', '{ at: 60s, continue: n2 }'),
      );
      while (stateOf('n2') !== 'T') await pause(5);
      child.kill(signal);
      await endOf(child);
      // Bounded by mocha.
      while (stateOf('n2') === 'T' || (await labels()).length > 0) await pause(5);
    }
  });

  it('says what is wrong, and what would be right', async () => {
    for (const [args, message] of [
      [['apply', 'wifi', '--link', 'n1'], /--link "n1" is not right: expected FROM>TO/],
      [['apply', 'wifi', '--node', 'n1', '--link', 'n1>n2'], /--node and --link are both given/],
      [['run', 'nothing.yaml'], /no scenario: .*nothing.yaml.*expected a file, or bad_day, kills/],
      [['run', scenario('{ at: 1s, kill: n4 }')], /no node "n4": expected one of server, n1, n2/],
    ] as const) {
      const { status, err } = await netem(...args);
      expect(err).to.match(message);
      expect(status).to.be.greaterThan(0);
    }
  });

  it('goes down with its agents', async () => {
    const down = await coopfs(['cluster', 'down', '--dir', dir]);
    expect(down).to.include({ status: 0, err: '' });
    expect(existsSync(join(dir, 'run', 'n1.netem'))).to.equal(false);
    expect(readFileSync(join(dir, 'log', 'n1.log'), 'utf8')).to.not.match(/fatal/i);
  });
});
