/**
 * What a kernel without sch_netem can do of a fault: random loss by nftables, a rate by tbf, in the words
 * of nft(8) and tc-tbf(8). Pure.
 */

import { NO_FAULT, type Fault } from './fault.ts';
import { faultInWords } from './fault_words.ts';
import { FsError } from '../protocol/errors.ts';

/** By its name we know what is ours. Of the family netdev, whose drops no sender hears of. */
export const LOSS_TABLE = 'netdev coopfs_netem';
/** As exact as nftables' random numbers are asked to be. */
const CHANCES = 10_000_000;
/** What may leave at once, so that a timer of the kernel is not the bound of a rate. */
const BURST_MS = 2;
const BURST_LEAST_BYTES = 3000;
/** What may wait, as with netem. */
const QUEUE_MS = 250;

/** Loss that nftables can have, and what queues have to do. */
export interface Parts {
  readonly loss: number;
  readonly queued: Fault;
}

const partsWithout = (fault: Fault): Parts | undefined => {
  const { loss, rate } = fault;
  const random = loss.model === 'random' && loss.correlation === 0 ? loss.probability : 0;
  // A cut is a queue of its own.
  if (random === 1) return { loss: 0, queued: fault };
  const rest: Fault = random === 0 ? fault : { ...fault, loss: NO_FAULT.loss };
  const possible = faultInWords(rest) === faultInWords({ ...NO_FAULT, rate });
  return possible ? { loss: random, queued: { ...NO_FAULT, rate } } : undefined;
};

export const needsNetem = (fault: Fault): boolean => partsWithout(fault) === undefined;

/** @throws FsError EINVAL, which names the fault, for one that needs netem. */
export const partsOf = (fault: Fault): Parts => {
  const parts = partsWithout(fault);
  if (parts !== undefined) return parts;
  throw new FsError(
    'EINVAL',
    `this kernel has no sch_netem, which the engine tc needs for ${faultInWords(fault)}: use --engine ` +
      'relay, which needs nothing of the kernel (without sch_netem, tc has partitions, random loss and rates)',
  );
};

const bytesIn = (ms: number, rate: number): number => Math.ceil((rate * ms) / 8000);

/** A rate as one line of tbf. */
export const tbfLine = (rate: number): string => {
  const burst = Math.max(BURST_LEAST_BYTES, bytesIn(BURST_MS, rate));
  return `tbf rate ${Math.round(rate)}bit burst ${burst} limit ${burst + bytesIn(QUEUE_MS, rate)}`;
};

/** Losses of one direction: for each peer that a rule names, and for all others. */
export interface Losses {
  readonly peers: ReadonlyMap<string, number>;
  readonly rest: number;
}

/** The words of nft for the losses at one device, in a table that is there; none for none. */
export const lossWords = (
  device: string,
  direction: 'out' | 'in',
  { peers, rest }: Losses,
): string[] => {
  if (rest === 0 && [...peers.values()].every((loss) => loss === 0)) return [];
  const [hook, side] = direction === 'out' ? ['egress', 'daddr'] : ['ingress', 'saddr'];
  const chain = `${LOSS_TABLE} ${direction}_${device}`;
  const rule = (words: string): string => `add rule ${chain} ${words}`;
  const drop = (loss: number): string =>
    `numgen random mod ${CHANCES} < ${Math.round(loss * CHANCES)} drop`;
  return [
    `add chain ${chain} { type filter hook ${hook} device "${device}" priority 0; }`,
    ...[...peers].flatMap(([peer, loss]) => [
      ...(loss === 0 ? [] : [rule(`ip ${side} ${peer} ${drop(loss)}`)]),
      rule(`ip ${side} ${peer} accept`),
    ]),
    ...(rest === 0 ? [] : [rule(drop(rest))]),
  ];
};
