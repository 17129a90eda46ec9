/**
 * What becomes of each datagram of one direction: the decision of the engines `relay` and `sim`, in the
 * order of the kernel's own (net/sched/sch_netem.c, netem_enqueue): duplicate, lose, damage, drop
 * beyond the limit, overtake, delay, and the rate last. Pure: time and chance come in.
 */

import { packetLimit, type Fault, type Loss } from './fault.ts';

export interface Delivery {
  /** In ms, on the clock of the `now` it was decided at. */
  readonly at: number;
  /** Belongs to the receiver. */
  readonly bytes: Uint8Array;
}

export interface ImpairmentCounters {
  datagrams: number;
  lost: number;
  duplicated: number;
  corrupted: number;
  reordered: number;
  /** Dropped because `packetLimit` of them were on their way. */
  overflowed: number;
}

/** Ethernet, IPv4 and UDP: what a queue of the kernel counts of a datagram besides its contents. */
export const HEADER_BYTES = 14 + 20 + 8;

/** Entries of the table of the standard normal distribution, and how far it goes. */
const QUANTILES = 4096;
const REACH = 4;

/** Values of the standard normal distribution, each as likely as every other, ascending. */
const normalQuantiles = (): Float64Array => {
  const steps = 64 * QUANTILES;
  const width = (2 * REACH) / steps;
  const density = (x: number): number => Math.exp((-x * x) / 2);
  let total = 0;
  for (let step = 0; step < steps; step += 1) total += density(-REACH + (step + 0.5) * width);
  const table = new Float64Array(QUANTILES);
  let below = 0;
  let filled = 0;
  for (let step = 0; step < steps && filled < QUANTILES; step += 1) {
    const x = -REACH + (step + 0.5) * width;
    below += density(x) / total;
    while (filled < QUANTILES && below >= (filled + 0.5) / QUANTILES) table[filled++] = x;
  }
  return table;
};

let quantiles: Float64Array | undefined;

/** The value below which a part `draw` of a standard normal distribution is, cut at ± 4. */
const normalAt = (draw: number): number => {
  quantiles ??= normalQuantiles();
  return quantiles[Math.floor(draw * QUANTILES)] ?? 0;
};

/** A draw that depends on the last one by `correlation` (the kernel's get_crandom). */
class CorrelatedDraw {
  readonly #random: () => number;
  readonly #correlation: number;
  #last: number;

  constructor(random: () => number, correlation: number) {
    this.#random = random;
    this.#correlation = correlation;
    this.#last = random();
  }

  next(): number {
    const fresh = this.#random();
    if (this.#correlation === 0) return fresh;
    this.#last = (1 - this.#correlation) * fresh + this.#correlation * this.#last;
    return this.#last;
  }
}

/** The state of one direction: what its fault remembers from one datagram to the next. */
export class Impairment {
  readonly fault: Fault;
  readonly counters: ImpairmentCounters = {
    datagrams: 0,
    lost: 0,
    duplicated: 0,
    corrupted: 0,
    reordered: 0,
    overflowed: 0,
  };
  readonly #random: () => number;
  readonly #lossDraw: CorrelatedDraw;
  readonly #delayDraw: CorrelatedDraw;
  readonly #limit: number;
  #bad = false;
  /** When the last datagram in the queue of the rate is through. */
  #busyUntil = Number.NEGATIVE_INFINITY;
  /** The delivery times of what is on its way, a ring; out of order by jitter alone. */
  readonly #underWay: Float64Array;
  #oldest = 0;
  #count = 0;

  /** @param random uniform in [0, 1). */
  constructor(fault: Fault, random: () => number) {
    this.fault = fault;
    this.#random = random;
    this.#lossDraw = new CorrelatedDraw(
      random,
      fault.loss.model === 'random' ? fault.loss.correlation : 0,
    );
    this.#delayDraw = new CorrelatedDraw(random, fault.correlation);
    this.#limit = packetLimit(fault);
    this.#underWay = new Float64Array(this.#limit);
  }

  /** What is to be delivered of a datagram that is sent now: nothing, itself, or itself twice. */
  decide(bytes: Uint8Array, now: number): Delivery[] {
    const { duplicate } = this.fault;
    this.counters.datagrams += 1;
    let copies = 1;
    if (duplicate > 0 && this.#random() < duplicate) {
      this.counters.duplicated += 1;
      copies += 1;
    }
    if (this.#loses(this.fault.loss)) {
      this.counters.lost += 1;
      copies -= 1;
    }
    const deliveries: Delivery[] = [];
    for (; copies > 0; copies -= 1) {
      const at = this.#pass(bytes.length, now);
      if (at !== undefined) deliveries.push({ at, bytes: this.#damaged(bytes.slice()) });
    }
    return deliveries;
  }

  #loses(loss: Loss): boolean {
    switch (loss.model) {
      case 'none':
        return false;
      case 'random':
        return this.#lossDraw.next() < loss.probability;
      case 'gilbert-elliott': {
        // A datagram meets the state that the one before it has left, as in the kernel (loss_gilb_ell, which
        // changes the state first, but looks at what it was): the first one meets the good state.
        const chance = this.#bad ? loss.lossInBad : loss.lossInGood;
        const change = this.#random();
        if (this.#bad) this.#bad = change >= loss.toGood;
        else this.#bad = change < loss.toBad;
        if (chance === 0 || chance === 1) return chance === 1;
        return this.#random() < chance;
      }
    }
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const { corrupt } = this.fault;
    if (corrupt === 0 || bytes.length === 0 || this.#random() >= corrupt) return bytes;
    this.counters.corrupted += 1;
    const bit = Math.floor(this.#random() * bytes.length * 8);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return bytes;
  }

  /** When a copy arrives; undefined if the queue is full. */
  #pass(lengthBytes: number, now: number): number | undefined {
    while (this.#count > 0 && (this.#underWay[this.#oldest] ?? 0) <= now) {
      this.#oldest = (this.#oldest + 1) % this.#limit;
      this.#count -= 1;
    }
    if (this.#count === this.#limit) {
      this.counters.overflowed += 1;
      return undefined;
    }
    const at = this.#arrival(lengthBytes, now);
    this.#underWay[(this.#oldest + this.#count) % this.#limit] = at;
    this.#count += 1;
    return at;
  }

  #arrival(lengthBytes: number, now: number): number {
    const { reorder, rate } = this.fault;
    if (reorder > 0 && this.#random() < reorder) {
      this.counters.reordered += 1;
      return now;
    }
    const ready = now + this.#delayMs();
    if (rate === undefined) return ready;
    const begun = Math.max(ready, this.#busyUntil);
    this.#busyUntil = begun + ((lengthBytes + HEADER_BYTES) * 8 * 1000) / rate;
    return this.#busyUntil;
  }

  #delayMs(): number {
    const { delayMs, jitterMs, distribution } = this.fault;
    if (jitterMs === 0) return delayMs;
    const draw = this.#delayDraw.next();
    const deviation = distribution === 'normal' ? normalAt(draw) : 2 * draw - 1;
    return Math.max(0, delayMs + jitterMs * deviation);
  }
}
