/**
 * The vocabulary that all engines speak: what happens to the datagrams of one direction. The words and
 * their order of effect are those of the kernel's netem (tc-netem(8)).
 */

/** A part of all datagrams, 0 to 1. */
export type Probability = number;

export type Loss =
  | { readonly model: 'none' }
  /** `correlation`: how much the draw of a datagram depends on that of the one before it. */
  | {
      readonly model: 'random';
      readonly probability: Probability;
      readonly correlation: Probability;
    }
  /** Two states with a loss of their own; the chances to change are per datagram. */
  | {
      readonly model: 'gilbert-elliott';
      readonly toBad: Probability;
      readonly toGood: Probability;
      readonly lossInGood: Probability;
      readonly lossInBad: Probability;
    };

export interface Fault {
  readonly delayMs: number;
  /** A standard deviation if the distribution is normal, else the greatest distance from the delay. */
  readonly jitterMs: number;
  readonly distribution: 'uniform' | 'normal';
  /** Of a datagram's delay with that of the one before it. */
  readonly correlation: Probability;
  readonly loss: Loss;
  readonly duplicate: Probability;
  /** One bit is flipped. */
  readonly corrupt: Probability;
  /** The datagram is not delayed, and so overtakes those before it. */
  readonly reorder: Probability;
  /** Bits in a second; undefined: no bound. */
  readonly rate: number | undefined;
}

/** A named fault of a link whose two directions may differ in their rate. */
export interface Profile extends Omit<Fault, 'rate'> {
  readonly name: string;
  readonly about: string;
  /** `down` is what a node gets from the file server, `up` everything else. */
  readonly rate: { readonly up: number; readonly down: number } | undefined;
}

export type Way = 'up' | 'down';

export const NO_FAULT: Fault = {
  delayMs: 0,
  jitterMs: 0,
  distribution: 'uniform',
  correlation: 0,
  loss: { model: 'none' },
  duplicate: 0,
  corrupt: 0,
  reorder: 0,
  rate: undefined,
};

/** Nothing comes through. */
export const CUT: Fault = {
  ...NO_FAULT,
  loss: { model: 'random', probability: 1, correlation: 0 },
};

/** What a profile does to one direction. */
export const faultOf = (profile: Profile, way: Way): Fault => ({
  delayMs: profile.delayMs,
  jitterMs: profile.jitterMs,
  distribution: profile.distribution,
  correlation: profile.correlation,
  loss: profile.loss,
  duplicate: profile.duplicate,
  corrupt: profile.corrupt,
  reorder: profile.reorder,
  rate: profile.rate?.[way],
});

/** Standard deviations within which nearly all delays of a normal distribution are. */
const SPREAD = 4;

/** The longest delay that is to be expected. */
export const longestDelayMs = ({ delayMs, jitterMs, distribution }: Fault): number =>
  delayMs + (distribution === 'normal' ? SPREAD : 1) * jitterMs;

/** Sent without a rate, this is what one process manages at best. */
const PACKETS_PER_SECOND = 100_000;
/** On their way may be the shortest: acknowledgements in Ethernet frames of the least size. */
const LEAST_PACKET_BITS = 8 * 64;
/** In a queue they are taken to be this long on average. */
const MEAN_PACKET_BITS = 8 * 600;
/** What may wait for a slow link, beyond what is on its way. */
const QUEUE_MS = 250;
const LIMIT_LEAST = 64;

/**
 * How many datagrams may be on their way, the kernel's `limit`. Its default of 1,000 drops silently
 * what a fast link with a long delay has in flight; a boundless one would be seconds of queue.
 */
export const packetLimit = (fault: Fault): number => {
  const perSecond = (packetBits: number): number =>
    Math.min(PACKETS_PER_SECOND, (fault.rate ?? Infinity) / packetBits);
  const onTheWay = (perSecond(LEAST_PACKET_BITS) * longestDelayMs(fault)) / 1000;
  const queued = (perSecond(MEAN_PACKET_BITS) * QUEUE_MS) / 1000;
  return LIMIT_LEAST + Math.ceil(onTheWay + queued);
};
