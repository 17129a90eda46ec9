/**
 * Tells losses by chance from losses by congestion. A path that loses by chance loses the same part
 * of all round trips, those of little traffic too; a bottleneck loses more when it gets more. So
 * what the better third of recent round trips without a queue lose at most is taken for chance, and
 * what a round trip loses significantly beyond it for congestion.
 */

/** More than a whole cycle of probing, so that a round trip of restraint is among them. */
const ROUNDS = 12;
/** Round trips of fewer packets say nothing. */
const MIN_PACKETS = 8;
/** Loss above that of chance that is still tolerated (as BBRv2's loss threshold). */
const TOLERATED_EXCESS = 0.02;
/** A round trip counts as congested if chance alone would cause it only beyond so many deviations. */
const DEVIATIONS = 3;
/** The part of round trips that are taken to be free of congestion. */
const FREE_PART = 1 / 3;
/** A path that loses more by chance is not made up for. */
const MAX_RATE = 0.35;

export class RandomLoss {
  /** The part of packets that is lost by chance, 0 to 0.35. */
  rate = 0;
  readonly #rounds: number[] = [];
  #next = 0;

  /**
   * A round trip has ended in which of `packets` packets `lost` were lost. `queued` says that a
   * queue stood on the path all the time. Answers true if that shows congestion.
   */
  onRound(packets: number, lost: number, queued: boolean): boolean {
    if (packets < MIN_PACKETS) return false;
    const measured = lost / packets;
    const expected = Math.max(this.rate, 1 / packets);
    const deviation = Math.sqrt((expected * (1 - expected)) / packets);
    const unknown = this.#rounds.length === 0;
    if (!queued) {
      this.#rounds[this.#next] = measured;
      this.#next = (this.#next + 1) % ROUNDS;
      const sorted = [...this.#rounds].sort((a, b) => a - b);
      this.rate = Math.min(MAX_RATE, sorted[Math.floor((sorted.length - 1) * FREE_PART)] ?? 0);
    }
    return !unknown && measured > expected + TOLERATED_EXCESS + DEVIATIONS * deviation;
  }
}
