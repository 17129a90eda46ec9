/**
 * The engine `tc`: the commands that make a network namespace do what its settings ask for, in words of
 * tc(8), ip(8) and, where the kernel has no netem, nft(8). Pure; `netem/tc_engine.ts` has them run.
 */

import { FsError } from '../protocol/errors.ts';
import { composeAll } from './composition.ts';
import { NO_FAULT, packetLimit, type Fault, type Loss } from './fault.ts';
import { seedOf } from './seeded_random.ts';
import { rulesFor, type Direction, type Setting } from './setting.ts';
import {
  LOSS_TABLE,
  lossWords as nftLossWords,
  partsOf,
  tbfLine,
  type Losses,
} from './without_netem.ts';

export interface Command {
  readonly tool: 'tc' | 'ip' | 'nft';
  readonly words: string;
}

/** What `tc -json qdisc show` tells of one qdisc. */
export interface Qdisc {
  readonly kind: string;
  readonly handle: string;
  readonly dev: string;
  readonly root?: boolean | undefined;
}

/** Below 8000, where the kernel hands out its own; by it we know what is ours. */
const HANDLE = 'c0f:';
/** The kernel's own qdiscs, which come back when ours goes, have this one. */
const NO_HANDLE = '0:';
/** The class of all that no filter sends elsewhere; those of peers come after it. */
const REST_CLASS = 1;
/** Classes are there to tell peers apart, not to slow them down: nearly the most that htb can count. */
const CLASS_RATE = '32gbit';
/** What a class may send at its turn; said, because what htb computes from such a rate is too much. */
const CLASS_QUANTUM = 60_000;
/** A device for what comes in: only what goes out can be queued. */
const INTAKE_PREFIX = 'cfs-';
/** Begins the names of devices that are there for a moment, to find out what the kernel has. */
export const TRIAL_PREFIX = `${INTAKE_PREFIX}t`;

const intakeOf = (device: string): string => `${INTAKE_PREFIX}${seedOf(device).toString(36)}`;

export const commandText = ({ tool, words }: Command): string => `${tool} ${words}`;

const tc = (words: string): Command => ({ tool: 'tc', words });
const ip = (words: string): Command => ({ tool: 'ip', words });
const nft = (words: string): Command => ({ tool: 'nft', words });

/** Whether tc or ip says that the kernel has no such kind of queue or device. */
export const isLacking = (err: string): boolean =>
  /kind is unknown|unknown device type|not supported|No such file or directory/i.test(err);

/** What a tool has to say of the command that it could not do, and what would be right. */
export const commandFailure = (command: Command | undefined, err: string): FsError => {
  const [said = ''] = err.split('\n').filter((line) => line !== '');
  const what = command === undefined ? 'tc' : `"${commandText(command)}"`;
  if (said.includes('not permitted')) {
    return new FsError('EINVAL', `${what} failed: ${said}: the engine tc needs root, or NET_ADMIN`);
  }
  const lacking = command?.words.includes(' add ') === true && isLacking(said);
  const instead = ': this kernel does not have it; --engine relay needs nothing of the kernel';
  return new FsError('EINVAL', `${what} failed: ${said}${lacking ? instead : ''}`);
};

/** Without an exponent, which tc does not read, and as exact as the kernel's 32 bits. */
const percent = (part: number): string => `${(part * 100).toFixed(7).replace(/\.?0+$/, '')}%`;
/** The kernel counts in units of 64 ns. */
const time = (ms: number): string => `${Number((ms * 1000).toFixed(1))}us`;

const lossWords = (loss: Loss): string => {
  switch (loss.model) {
    case 'none':
      return '';
    case 'random':
      return ` loss random ${percent(loss.probability)} ${percent(loss.correlation)}`;
    case 'gilbert-elliott': {
      const { toBad, toGood, lossInBad, lossInGood } = loss;
      return ` loss gemodel ${[toBad, toGood, lossInBad, lossInGood].map(percent).join(' ')}`;
    }
  }
};

const delayWords = ({ delayMs, jitterMs, correlation, distribution, reorder }: Fault): string => {
  if (delayMs === 0 && jitterMs === 0) return '';
  // Without a distribution it is uniform. What is not delayed cannot be overtaken.
  const spread = jitterMs > 0 && distribution === 'normal' ? ' distribution normal' : '';
  const jitter = jitterMs > 0 ? ` ${time(jitterMs)} ${percent(correlation)}${spread}` : '';
  return ` delay ${time(delayMs)}${jitter}${reorder > 0 ? ` reorder ${percent(reorder)}` : ''}`;
};

/** A fault as one line of netem. `seed` only for a tc that knows the word. */
export const netemLine = (fault: Fault, seed?: number): string => {
  const { duplicate, corrupt, rate } = fault;
  return (
    `netem limit ${packetLimit(fault)}${delayWords(fault)}${lossWords(fault.loss)}` +
    (duplicate > 0 ? ` duplicate ${percent(duplicate)}` : '') +
    (corrupt > 0 ? ` corrupt ${percent(corrupt)}` : '') +
    (rate === undefined ? '' : ` rate ${Math.round(rate)}bit`) +
    (seed === undefined ? '' : ` seed ${seed}`)
  );
};

const isCut = ({ loss }: Fault): boolean => loss.model === 'random' && loss.probability === 1;

const isNothing = (fault: Fault): boolean => netemLine(fault) === netemLine(NO_FAULT);

/** What a class holds. A cut needs no netem, so that kernels without it can be partitioned, too. */
type QueueOf = (fault: Fault, peer: string) => string;

/** An IPv4 address, as rudp's sockets have. @throws FsError EINVAL for anything else. */
const addressOf = (peer: string): string => {
  const parts = peer.split('.');
  if (parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) {
    return peer;
  }
  throw new FsError('EINVAL', `${JSON.stringify(peer)} is not right: expected an IPv4 address`);
};

/** Faults of one direction: for each peer that a rule names, and for all others. */
interface Faults {
  readonly peers: ReadonlyMap<string, Fault>;
  readonly rest: Fault;
}

const faultsOf = (settings: readonly Setting[], direction: Direction): Faults => {
  const rules = settings.flatMap((each) => each.rules);
  const named = rules.filter((rule) => rule.direction === direction).map(({ peer }) => peer);
  const faultOf = (peer: string): Fault =>
    composeAll(rulesFor(settings, direction, peer).map(({ fault }) => fault));
  const peers = new Set(named.filter((peer) => peer !== undefined).map(addressOf));
  // No peer has the empty name: only rules for all apply to it.
  return { peers: new Map([...peers].map((peer) => [peer, faultOf(peer)])), rest: faultOf('') };
};

export interface Capabilities {
  /** Whether the kernel has netem. */
  readonly netem: boolean;
  /** Whether tc and the kernel's netem take a seed. */
  readonly seed: boolean;
}

/** Linux from 6.6 on; those before it take the word, and do nothing with it. */
const SEEDED_RELEASE = [6, 6] as const;

/** By netem's help, as tc prints it, and the kernel's release. */
export const knowsSeed = (netemHelp: string, release: string): boolean => {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const [first, second] = SEEDED_RELEASE;
  return /\bseed\b/.test(netemHelp) && (major > first || (major === first && minor >= second));
};

/** The tree of queues at one device, for datagrams that leave through it. */
const treeAt = (
  device: string,
  { peers, rest }: Faults,
  side: 'dst' | 'src',
  queueOf: QueueOf,
): Command[] => {
  if ([rest, ...peers.values()].every(isNothing)) return [];
  const add = (what: string, words: string): Command => tc(`${what} add dev ${device} ${words}`);
  const root = `root handle ${HANDLE}`;
  if (peers.size === 0) return [add('qdisc', `${root} ${queueOf(rest, '')}`)];
  const classOf = (minor: number): string => `${HANDLE}${minor.toString(16)}`;
  const classWith = (minor: number, fault: Fault, peer: string): Command[] => {
    const shape = `htb rate ${CLASS_RATE} quantum ${CLASS_QUANTUM}`;
    const made = add('class', `parent ${HANDLE} classid ${classOf(minor)} ${shape}`);
    if (isNothing(fault)) return [made];
    return [made, add('qdisc', `parent ${classOf(minor)} ${queueOf(fault, peer)}`)];
  };
  const perPeer = [...peers].flatMap(([peer, fault], index) => {
    const minor = REST_CLASS + 1 + index;
    const match = `u32 match ip ${side} ${peer}/32 flowid ${classOf(minor)}`;
    const filter = add('filter', `parent ${HANDLE} protocol ip prio 1 ${match}`);
    return [...classWith(minor, fault, peer), filter];
  });
  const first = add('qdisc', `${root} htb default ${REST_CLASS}`);
  return [first, ...classWith(REST_CLASS, rest, ''), ...perPeer];
};

/** What sends all that comes in through a device of its own, where it can be queued. */
const intakeAt = (device: string): Command[] => [
  ip(`link add ${intakeOf(device)} type ifb`),
  ip(`link set ${intakeOf(device)} up`),
  tc(`qdisc add dev ${device} handle ffff: ingress`),
  tc(
    `filter add dev ${device} parent ffff: protocol all prio 1 u32 match u32 0 0 ` +
      `action mirred egress redirect dev ${intakeOf(device)}`,
  ),
];

/** The faults with what queues have to do, and their losses, which nftables has. */
const partsOfAll = ({ peers, rest }: Faults): { losses: Losses; queued: Faults } => {
  const parts = new Map([...peers].map(([peer, fault]) => [peer, partsOf(fault)]));
  const others = partsOf(rest);
  return {
    losses: {
      peers: new Map([...parts].map(([peer, { loss }]) => [peer, loss])),
      rest: others.loss,
    },
    queued: {
      peers: new Map([...parts].map(([peer, { queued }]) => [peer, queued])),
      rest: others.queued,
    },
  };
};

const queuesFor = (
  devices: readonly string[],
  out: Faults,
  into: Faults,
  queueOf: (direction: Direction) => QueueOf,
): Command[] =>
  devices.flatMap((device) => {
    const inside = treeAt(intakeOf(device), into, 'src', queueOf('in'));
    const outside = treeAt(device, out, 'dst', queueOf('out'));
    return [...(inside.length === 0 ? [] : intakeAt(device)), ...inside, ...outside];
  });

const withoutNetem = (devices: readonly string[], out: Faults, into: Faults): Command[] => {
  const there = partsOfAll(out);
  const here = partsOfAll(into);
  const losses = devices.flatMap((device) => [
    ...nftLossWords(device, 'out', there.losses),
    ...nftLossWords(device, 'in', here.losses),
  ]);
  const queueOf = (fault: Fault): string =>
    isCut(fault) ? 'blackhole' : tbfLine(fault.rate ?? Infinity);
  return [
    ...(losses.length === 0 ? [] : [`add table ${LOSS_TABLE}`, ...losses]).map(nft),
    ...queuesFor(devices, there.queued, here.queued, () => queueOf),
  ];
};

/**
 * All commands that bring the settings about at devices on which nothing of ours is.
 * @throws FsError EINVAL for a fault that a kernel without netem cannot have.
 */
export const construction = (
  devices: readonly string[],
  settings: readonly Setting[],
  { netem, seed }: Capabilities,
): Command[] => {
  const out = faultsOf(settings, 'out');
  const into = faultsOf(settings, 'in');
  if (!netem) return withoutNetem(devices, out, into);
  const seeds = settings.map((each) => each.seed);
  return queuesFor(devices, out, into, (direction) => (fault, peer) => {
    if (isCut(fault)) return 'blackhole';
    return netemLine(fault, seed ? seedOf([...seeds, direction, peer].join('/')) : undefined);
  });
};

const isIntake = ({ dev }: Qdisc): boolean => dev.startsWith(INTAKE_PREFIX);

/** The devices through which datagrams go. One that is down has the qdisc noop. */
export const devicesIn = (present: readonly Qdisc[]): string[] => [
  ...new Set(
    present
      .filter((each) => each.dev !== 'lo' && each.kind !== 'noop' && !isIntake(each))
      .map(({ dev }) => dev),
  ),
];

const isIngress = ({ kind }: Qdisc): boolean => kind === 'ingress' || kind === 'clsact';

/** All commands that take away what is ours, whoever has left it. `lossTable`: nftables has our table. */
export const removal = (present: readonly Qdisc[], lossTable = false): Command[] => {
  const intakes = new Set(present.filter(isIntake).map(({ dev }) => dev));
  const outside = present.filter((each) => !isIntake(each));
  const ingress = outside.filter((each) => isIngress(each) && intakes.has(intakeOf(each.dev)));
  const roots = outside.filter(({ root, handle }) => root === true && handle === HANDLE);
  return [
    ...roots.map(({ dev }) => tc(`qdisc del dev ${dev} root handle ${HANDLE}`)),
    ...ingress.map(({ dev }) => tc(`qdisc del dev ${dev} ingress`)),
    ...[...intakes].map((dev) => ip(`link del ${dev}`)),
    ...(lossTable ? [nft(`delete table ${LOSS_TABLE}`)] : []),
  ];
};

/** A qdisc of somebody else where `commands` need to put one; it is not replaced. */
export const inTheWay = (
  present: readonly Qdisc[],
  commands: readonly Command[],
): Qdisc | undefined => {
  const needs = (device: string, where: string): boolean =>
    commands.some(({ words }) => words.startsWith(`qdisc add dev ${device} ${where}`));
  const intakes = new Set(present.filter(isIntake).map(({ dev }) => dev));
  return present.find((each) => {
    if (isIngress(each)) return !intakes.has(intakeOf(each.dev)) && needs(each.dev, 'handle ffff:');
    const foreign = each.root === true && ![HANDLE, NO_HANDLE].includes(each.handle);
    return foreign && needs(each.dev, 'root');
  });
};
