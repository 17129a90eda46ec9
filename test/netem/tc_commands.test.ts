import { expect } from 'chai';
import { CUT, faultOf, NO_FAULT, packetLimit, type Fault } from '../../netem/fault.ts';
import { profileNamed, readProfiles } from '../../netem/profile_file.ts';
import type { Rule, Setting } from '../../netem/setting.ts';
import {
  commandFailure,
  commandText,
  construction,
  devicesIn,
  inTheWay,
  knowsSeed,
  netemLine,
  removal,
  type Qdisc,
} from '../../netem/tc_commands.ts';
import { FsError } from '../../protocol/errors.ts';

const setting = (...rules: readonly Rule[]): Setting => ({
  id: `s${rules.length}`,
  kind: 'profile',
  label: 's',
  seed: 7,
  rules,
});

const out = (fault: Fault, peer?: string): Rule => ({ direction: 'out', peer, fault });
const into = (fault: Fault, peer?: string): Rule => ({ direction: 'in', peer, fault });
const slow: Fault = { ...NO_FAULT, delayMs: 10 };
const lossy: Fault = {
  ...NO_FAULT,
  loss: { model: 'random', probability: 0.1, correlation: 0 },
};

const linesOf = (settings: readonly Setting[], seed = false, devices = ['eth0']): string[] =>
  construction(devices, settings, { netem: true, seed }).map(commandText);

const qdisc = (dev: string, kind: string, handle: string, root = true): Qdisc =>
  root ? { dev, kind, handle, root } : { dev, kind, handle };

describe('the commands of the engine tc', () => {
  it('say every word of a fault in one line, with a limit that holds what is on its way', () => {
    const all: Fault = {
      delayMs: 0.25,
      jitterMs: 0.05,
      distribution: 'normal',
      correlation: 0.25,
      loss: { model: 'random', probability: 0.2, correlation: 0.75 },
      duplicate: 0.01,
      corrupt: 0.0001,
      reorder: 0.05,
      rate: 250_000,
    };
    expect(netemLine(all, 9)).to.equal(
      `netem limit ${packetLimit(all)} delay 250us 50us 25% distribution normal reorder 5% ` +
        'loss random 20% 75% duplicate 1% corrupt 0.01% rate 250000bit seed 9',
    );
    expect(netemLine(faultOf(profileNamed('wifi-bad'), 'up'))).to.match(
      /delay 25000us 20000us 0% distribution normal loss gemodel 1% 25% 100% 0% rate 5000000bit$/,
    );
    expect(netemLine(faultOf(profileNamed('dc'), 'up'))).to.match(/delay 250us 50us 0%$/);
    expect(netemLine({ ...NO_FAULT, reorder: 0.5 }), 'nothing to overtake').to.not.match(/reorder/);
  });

  it('never have an exponent, which tc does not read', () => {
    const tiny: Fault = {
      ...lossy,
      loss: { model: 'gilbert-elliott', toBad: 1e-7, toGood: 1, lossInGood: 0, lossInBad: 1e-9 },
    };
    expect(netemLine(tiny)).to.match(/gemodel 0\.00001% 100% 0\.0000001% 0%$/);
    for (const profile of readProfiles()) {
      expect(netemLine(faultOf(profile, 'down'))).to.not.match(/\de[-+]?\d/);
    }
  });

  it('are one queue for a rule for all peers', () => {
    expect(linesOf([setting(out(slow))])).to.deep.equal([
      `tc qdisc add dev eth0 root handle c0f: ${netemLine(slow)}`,
    ]);
  });

  it('are a class and a filter for each peer, with all that applies to it in one queue', () => {
    const lines = linesOf([
      setting(out(slow)),
      setting(out(lossy, '10.0.0.2'), out(CUT, '10.0.0.3')),
    ]);
    expect(lines).to.deep.equal([
      'tc qdisc add dev eth0 root handle c0f: htb default 1',
      'tc class add dev eth0 parent c0f: classid c0f:1 htb rate 32gbit quantum 60000',
      `tc qdisc add dev eth0 parent c0f:1 ${netemLine(slow)}`,
      'tc class add dev eth0 parent c0f: classid c0f:2 htb rate 32gbit quantum 60000',
      `tc qdisc add dev eth0 parent c0f:2 ${netemLine({ ...lossy, delayMs: 10 })}`,
      'tc filter add dev eth0 parent c0f: protocol ip prio 1 u32 match ip dst 10.0.0.2/32 flowid c0f:2',
      'tc class add dev eth0 parent c0f: classid c0f:3 htb rate 32gbit quantum 60000',
      'tc qdisc add dev eth0 parent c0f:3 blackhole',
      'tc filter add dev eth0 parent c0f: protocol ip prio 1 u32 match ip dst 10.0.0.3/32 flowid c0f:3',
    ]);
  });

  it('take what comes in through a device of its own, and tell it by its source', () => {
    const lines = linesOf([setting(into(slow, '10.0.0.2'))]);
    const [, intake = ''] = /^ip link add (\S+) type ifb$/.exec(lines[0] ?? '') ?? [];
    expect(intake).to.match(/^cfs-[0-9a-z]{1,7}$/);
    expect(lines[3]).to.match(
      new RegExp(`dev eth0 parent ffff: .* egress redirect dev ${intake}$`),
    );
    expect(lines.at(-1)).to.match(new RegExp(`dev ${intake} .* match ip src 10.0.0.2/32 flowid`));
    expect(lines.filter((line) => / dev eth0 root/.test(line))).to.deep.equal([]);
  });

  it('have a seed only where both tc and the kernel know it', () => {
    const help = 'Usage: ... netem [ limit PACKETS ]\n   [ delay TIME ]\n';
    const seeded = `${help}   [ seed SEED ]\n`;
    const known = (release: string): boolean => knowsSeed(seeded, release);
    expect(['6.6.0', '6.18.44-fc', '7.0'].map(known)).to.deep.equal([true, true, true]);
    expect(['5.15.0', '6.1.176', '6.5.13'].map(known)).to.deep.equal([false, false, false]);
    expect(knowsSeed(help, '6.18.44')).to.equal(false);
  });

  it('have a seed of its own for each peer and direction, where tc knows the word', () => {
    const rules = [out(slow, '10.0.0.2'), out(slow, '10.0.0.3'), into(slow)];
    const seeds = (): string[] =>
      linesOf([setting(...rules)], true).flatMap((line) => /seed (\d+)$/.exec(line)?.[1] ?? []);
    expect(new Set(seeds()).size).to.equal(3);
    expect(seeds()).to.deep.equal(seeds());
    expect(linesOf([setting(...rules)]).filter((line) => line.includes('seed'))).to.deep.equal([]);
  });

  it('are refused for what is no address', () => {
    for (const peer of ['10.0.0.2 flowid 1:1', '10.0.0.300', 'n1', '10.0.0.2:7000']) {
      expect(() => linesOf([setting(out(slow, peer))]), peer).to.throw(FsError, 'IPv4 address');
    }
  });

  it('go to all devices that are up, and to no other', () => {
    const present = [
      qdisc('lo', 'noqueue', '0:'),
      qdisc('eth0', 'mq', '0:'),
      qdisc('eth0', 'fq_codel', '0:', false),
      qdisc('tunl0', 'noop', '0:'),
      qdisc('cfs-x', 'htb', 'c0f:'),
      qdisc('eth1', 'noqueue', '0:'),
    ];
    expect(devicesIn(present)).to.deep.equal(['eth0', 'eth1']);
  });

  it('take away what is ours, and nothing else', () => {
    const intake = linesOf([setting(into(slow))])[0]?.split(' ')[3] ?? '';
    const present = [
      qdisc('eth0', 'htb', 'c0f:'),
      qdisc('eth0', 'netem', '8001:', false),
      qdisc('eth0', 'ingress', 'ffff:', false),
      qdisc(intake, 'netem', 'c0f:'),
      qdisc('eth1', 'htb', '1:'),
      qdisc('eth1', 'ingress', 'ffff:', false),
    ];
    expect(removal(present).map(commandText)).to.deep.equal([
      'tc qdisc del dev eth0 root handle c0f:',
      'tc qdisc del dev eth0 ingress',
      `ip link del ${intake}`,
    ]);
  });

  it('never replace a qdisc of somebody else', () => {
    const commands = construction(['eth0'], [setting(out(slow))], { netem: true, seed: false });
    const theirs = qdisc('eth0', 'netem', '8001:');
    expect(inTheWay([theirs], commands)).to.equal(theirs);
    expect(inTheWay([qdisc('eth1', 'netem', '8001:')], commands)).to.equal(undefined);
    expect(inTheWay([qdisc('eth0', 'htb', 'c0f:')], commands)).to.equal(undefined);
    expect(inTheWay([qdisc('eth0', 'mq', '0:')], commands)).to.equal(undefined);
    const intake = construction(['eth0'], [setting(into(slow))], { netem: true, seed: false });
    const clsact = qdisc('eth0', 'clsact', 'ffff:', false);
    expect(inTheWay([clsact], intake)).to.equal(clsact);
    expect(inTheWay([clsact], commands)).to.equal(undefined);
  });

  describe('where the kernel has no netem', () => {
    const narrow: Fault = { ...NO_FAULT, rate: 8_000_000 };
    const without = (...settings: readonly Setting[]): string[] =>
      construction(['eth0'], settings, { netem: false, seed: false }).map(commandText);

    it('have random loss by nftables, peer by peer, and need no queue for it', () => {
      const fifth: Fault = {
        ...NO_FAULT,
        loss: { model: 'random', probability: 0.2, correlation: 0 },
      };
      expect(without(setting(out(lossy), into(lossy), out(fifth, '10.0.0.2')))).to.deep.equal([
        'nft add table netdev coopfs_netem',
        'nft add chain netdev coopfs_netem out_eth0 { type filter hook egress device "eth0" priority 0; }',
        // Both rules are for this peer: 1 - 0.9 * 0.8.
        'nft add rule netdev coopfs_netem out_eth0 ip daddr 10.0.0.2 numgen random mod 10000000 < 2800000 drop',
        'nft add rule netdev coopfs_netem out_eth0 ip daddr 10.0.0.2 accept',
        'nft add rule netdev coopfs_netem out_eth0 numgen random mod 10000000 < 1000000 drop',
        'nft add chain netdev coopfs_netem in_eth0 { type filter hook ingress device "eth0" priority 0; }',
        'nft add rule netdev coopfs_netem in_eth0 numgen random mod 10000000 < 1000000 drop',
      ]);
    });

    it('have rates by tbf and cuts, beside losses', () => {
      const lines = without(
        setting(out(narrow, '10.0.0.2'), out(CUT, '10.0.0.3'), out(lossy, '10.0.0.2')),
      );
      expect(lines.filter((line) => line.startsWith('nft add rule'))).to.have.length(3);
      expect(lines).to.include(
        'tc qdisc add dev eth0 parent c0f:2 tbf rate 8000000bit burst 3000 limit 253000',
      );
      expect(lines).to.include('tc qdisc add dev eth0 parent c0f:3 blackhole');
      expect(lines.join('\n')).to.not.match(/netem l/);
    });

    it('are refused for all else, with the engine that can', () => {
      for (const { name } of readProfiles().filter((each) => each.delayMs > 0)) {
        const fault = faultOf(profileNamed(name), 'up');
        expect(() => without(setting(out(fault))), name).to.throw(
          FsError,
          /has no sch_netem, .* delay .*: use --engine relay/,
        );
      }
      const bursts: Fault = {
        ...lossy,
        loss: { model: 'random', probability: 0.1, correlation: 0.5 },
      };
      expect(() => without(setting(out(bursts)))).to.throw(FsError, 'has no sch_netem');
    });

    it('take the table of nftables away, if there is one', () => {
      expect(removal([], true).map(commandText)).to.deep.equal([
        'nft delete table netdev coopfs_netem',
      ]);
    });
  });

  it('name, when they fail, the engine that needs no kernel if it is this that lacks something', () => {
    const failureOf = (tool: 'tc' | 'ip', words: string, err: string): string =>
      commandFailure({ tool, words }, err).message;
    const queue = 'qdisc add dev e0 root handle c0f: netem limit 10';
    for (const [tool, words, err] of [
      ['tc', queue, 'Error: Specified qdisc kind is unknown.\nCommand failed -:1\n'],
      ['tc', queue, 'RTNETLINK answers: No such file or directory\n'],
      ['ip', 'link add cfs-1 type ifb', 'Error: Unknown device type.\n'],
      ['ip', 'link add cfs-1 type ifb', 'RTNETLINK answers: Operation not supported\n'],
    ] as const) {
      const message = failureOf(tool, words, err);
      expect(
        message.startsWith(`"${tool} ${words}" failed: ${err.split('\n')[0] ?? ''}: `),
      ).to.equal(true);
      expect(message).to.match(/--engine relay needs nothing of the kernel$/);
    }
    expect(failureOf('tc', queue, 'RTNETLINK answers: Operation not permitted\n')).to.match(
      /not permitted: the engine tc needs root, or NET_ADMIN$/,
    );
    expect(failureOf('tc', queue, 'Error: Exclusivity flag on, cannot modify.\n')).to.match(
      /failed: Error: Exclusivity flag on, cannot modify\.$/,
    );
    expect(failureOf('tc', 'qdisc del dev e0 root', 'No such file or directory')).to.match(
      /directory$/,
    );
  });
});
