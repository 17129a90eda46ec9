import { spawnSync, type ChildProcess } from 'node:child_process';
import { release } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { networkUnavailable } from '../../cli/cluster_network.ts';
import { knowsSeed } from '../../netem/tc_commands.ts';
import { Namespaces } from '../netem/namespaces.ts';
import { coopfs, endOf, startCoopfs, type Ended } from './coopfs.ts';

const NODES = ['server', 'n1', 'n2'];

describe('coopfs netem with the engine tc in network namespaces', function () {
  this.timeout(120_000);
  let spaces: Namespaces;
  const children: ChildProcess[] = [];

  before(function () {
    const reason = networkUnavailable();
    if (reason !== undefined) {
      console.log(`      left out: ${reason}`);
      this.skip();
    }
    spaces = new Namespaces(NODES);
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await netem('clear', '--all');
    expect(leftovers()).to.deep.equal([]);
  });

  after(async () => {
    if (networkUnavailable() === undefined) await spaces.remove();
  });

  const netem = (...args: readonly string[]): Promise<Ended> =>
    coopfs(['netem', ...args, '--netns', spaces.option]);

  const leftovers = (): string[] => NODES.flatMap((node) => spaces.leftovers(node));

  const hold = async (...args: readonly string[]): Promise<ChildProcess> => {
    const child = startCoopfs(['netem', ...args, '--netns', spaces.option]);
    children.push(child);
    await new Promise((resolve, reject) => {
      child.stdout?.once('data', resolve);
      child.stderr?.once('data', (text: Buffer) => {
        reject(new Error(text.toString()));
      });
    });
    return child;
  };

  const lossOf = async (link: string): Promise<number | undefined> => {
    const { out, err } = await netem('show', '--json', '--probes', '20');
    expect(out, err).to.not.equal('');
    const { links } = JSON.parse(out) as {
      links: { from: string; to: string; loss?: number }[];
    };
    return links.find(({ from, to }) => `${from}>${to}` === link)?.loss;
  };

  it('cuts links, two cuts compose, and the end of one leaves the other', async () => {
    await hold('partition', 'n1', '|', 'n2');
    const second = await hold('partition', 'server', '|', 'n2');
    expect([
      await lossOf('n1>n2'),
      await lossOf('server>n2'),
      await lossOf('server>n1'),
    ]).to.deep.equal([1, 1, 0]);
    second.kill('SIGTERM');
    await endOf(second);
    expect([await lossOf('n1>n2'), await lossOf('server>n2')]).to.deep.equal([1, 0]);
  });

  it('leaves nothing in the namespaces when the command is killed: its lease ends', async () => {
    const child = await hold('partition', 'n1', '|', 'n2,server');
    expect(leftovers()).to.not.deep.equal([]);
    child.kill('SIGKILL');
    await endOf(child);
    // Bounded by mocha; the lease itself is tested in virtual time.
    while (leftovers().length > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('never replaces a qdisc of somebody else, and cuts the other nodes as long as it is to', async () => {
    spaces.run('n1', 'tc qdisc add dev e0 root tbf rate 1gbit burst 100k limit 100k');
    try {
      const cut = startCoopfs(['netem', 'partition', 'n1', '|', 'n2', '--netns', spaces.option]);
      children.push(cut);
      const ended = endOf(cut);
      await new Promise((resolve) => cut.stdout?.once('data', resolve));
      // More than one renewal: each of them is refused at n1.
      await pause(1500);
      expect(cut.exitCode, 'it goes on').to.equal(null);
      expect(spaces.leftovers('n2').join()).to.contain('blackhole');
      cut.kill('SIGTERM');
      const { out, err } = await ended;
      expect(out).to.match(/ended: interrupted\n$/);
      expect(err).to.match(
        /n1 has not taken it .* somebody else, tbf .* "tc qdisc del dev e0 root"/,
      );
      expect(spaces.run('n1', 'tc qdisc show dev e0')).to.match(/^qdisc tbf/);
    } finally {
      spaces.run('n1', 'tc qdisc del dev e0 root');
    }
  });

  it('prints its commands in a dry run, and does nothing', async () => {
    const narrow = await netem('apply', 'narrow', '--link', 'n1>n2', '--dry-run');
    expect(narrow.err).to.equal('');
    expect(narrow.out).to.match(/^n1: tc qdisc add dev e0 root handle c0f: htb default 1$/m);
    expect(narrow.out).to.match(
      /^n1: tc qdisc add dev e0 parent c0f:2 (tbf|netem) .*rate 2000000/m,
    );
    const { out, err } = await netem('apply', 'wifi-bad', '--link', 'n1>n2', '--both', '--dry-run');
    // On a kernel that could not run them there are no commands.
    if (err === '') {
      expect(out).to.match(
        /^n2: tc .* netem limit \d+ delay 25000us 20000us .* gemodel 1% 25% 100% 0%/m,
      );
    } else {
      expect(err).to.match(/this kernel has no sch_netem, .*: use --engine relay/);
    }
    expect(leftovers()).to.deep.equal([]);
  });

  it('says where a seed that is asked for changes nothing, and is silent where none is', async () => {
    const help = spawnSync('tc', 'qdisc add dev lo root netem help'.split(' '));
    const apply = ['apply', 'lossy', '--link', 'n1>n2', '--dry-run'];
    const { err, status } = await netem(...apply, '--seed', '7');
    expect(status).to.equal(0);
    if (knowsSeed(help.stderr.toString(), release())) expect(err).to.equal('');
    else expect(err).to.match(/^warning: --seed 7 changes nothing at n1: .*--engine relay\n$/);
    expect((await netem(...apply)).err).to.equal('');
  });

  it('applies a profile, or says that the kernel cannot and which engine can', async () => {
    const { status, err } = await netem('apply', 'wifi', '--for', '100ms');
    if (status !== 0) expect(err).to.match(/has no sch_netem, .*: use --engine relay/);
    expect(leftovers()).to.deep.equal([]);
  });

  it('says what is wrong, and what would be right', async () => {
    for (const [args, message] of [
      [['--netns', 'n1=nowhere'], /network namespace of n1 cannot be entered/],
      [['--netns', 'n1', '--engine', 'relay'], /--engine relay is not right with --netns/],
      [[], /it is not said which cluster: expected --dir DIR, --compose or --netns NODES/],
    ] as const) {
      const { status, err } = await coopfs(['netem', 'show', ...args]);
      expect(err).to.match(message);
      expect(status).to.be.greaterThan(0);
    }
  });
});
