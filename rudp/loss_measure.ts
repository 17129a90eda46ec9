/** What part of our packets gets lost on the way to a host; all connections to it share what they learn. */

import { MAX_MEASURED_HOSTS } from './limits.ts';

/** The memory in packets: a loss is forgotten after about so many. */
const MEMORY_PACKETS = 512;
/** The measurement begins as if so many packets had arrived. */
const PRIOR_PACKETS = 8;

export class LossMeasure {
  /** 0 to 1. */
  rate = 0;
  #settled = PRIOR_PACKETS;

  /** A packet was acknowledged or declared lost. */
  onSettled(lost: boolean): void {
    this.#settled = Math.min(this.#settled + 1, MEMORY_PACKETS);
    this.rate += ((lost ? 1 : 0) - this.rate) / this.#settled;
  }
}

export class LossMeasures {
  readonly #byHost = new Map<string, LossMeasure>();

  /** The measure of the host of "10.0.0.1:4000". */
  of(address: string): LossMeasure {
    const host = address.slice(0, address.lastIndexOf(':'));
    const known = this.#byHost.get(host);
    if (known !== undefined) return known;
    // Connections that have one keep it; the others begin anew.
    if (this.#byHost.size >= MAX_MEASURED_HOSTS) this.#byHost.clear();
    const measure = new LossMeasure();
    this.#byHost.set(host, measure);
    return measure;
  }
}
