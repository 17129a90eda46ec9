/**
 * The length of datagrams on one path (DPLPMTUD, RFC 8899). It begins with 1,200 bytes, which every
 * path must carry, and tries longer ones by probes, padded pings whose loss means nothing else. The
 * longest that is worth trying comes from outside: what the own interface sends in one piece. Beyond
 * that the kernel would cut datagrams into fragments, which arrive, and would be taken for success.
 *
 *     base ---- a packet arrived ----> searching <---- raise timer, and data to send ---- complete
 *                                      |       ^                                             ^
 *     error <-- black hole, from any --+       +-- a packet arrived --- error                |
 *                                      +---------------- no size left to try ----------------+
 */

import { ETHERNET_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES, MIN_DATAGRAM_BYTES } from './limits.ts';
import { NEVER, type Millis } from './millis.ts';

/** The MTUs that are met with, less 28 bytes of headers: 1,280, WireGuard, GRE, PPPoE, Ethernet. */
const USUAL_BYTES = [1_252, 1_392, 1_448, 1_464, ETHERNET_DATAGRAM_BYTES];
/** What a loopback interface, or the peer's buffer behind it, may carry if it takes no 65,507. */
const LOOPBACK_BYTES = [8_972, 16_356, 32_740];
/** Probes of one size that are lost on loopback before it counts as too long. */
const MAX_PROBES = 3;
/** Large packets lost, with none acknowledged that was sent after the first of them. */
const BLACK_HOLE_LOSSES = 4;
const FIRST_RAISE_MS: Millis = 2_000;
/** Longer than Linux remembers what a router told it of a path (net.ipv4.route.mtu_expires, 600 s). */
const MAX_RAISE_MS: Millis = 900_000;

export type MtuState =
  /** Nothing has arrived yet. */
  | { readonly tag: 'base' }
  | { readonly tag: 'searching'; readonly probeBytes: number; lost: number; inFlight: boolean }
  | { readonly tag: 'complete'; readonly raiseAt: Millis }
  /** Large packets alone got lost; nothing has arrived since. */
  | { readonly tag: 'error' };

export class PathMtu {
  /** Datagrams are no longer than this now. */
  currentBytes = MIN_DATAGRAM_BYTES;
  /** How often it fell back. */
  blackHoles = 0;
  state: MtuState = { tag: 'base' };
  readonly #sizes: readonly number[];
  /**
   * On a network a lost probe may make a router tell our kernel the path's MTU, and from then on the
   * kernel cuts what is longer: a second probe would arrive in pieces. So there sizes are tried in
   * ascending order, each once, and the first that is lost is the end. Nothing cuts on loopback.
   */
  readonly #isLoopback: boolean;
  #raiseMs: Millis;
  /** The shortest datagram that did not arrive. */
  #failedBytes = Number.POSITIVE_INFINITY;
  #largestLargeAcked = -1;
  #suspiciousLosses = 0;

  /** @param ceilingBytes the longest datagram worth trying, at least 1,200. */
  constructor(ceilingBytes: number) {
    this.#isLoopback = ceilingBytes === MAX_DATAGRAM_BYTES;
    const sizes = this.#isLoopback ? [...USUAL_BYTES, ...LOOPBACK_BYTES] : USUAL_BYTES;
    this.#sizes = [...sizes.filter((size) => size < ceilingBytes), ceilingBytes];
    this.#raiseMs = this.#isLoopback ? FIRST_RAISE_MS : MAX_RAISE_MS;
  }

  /** A packet arrived; answers whether `currentBytes` changed. */
  onAcked(packetNumber: number, sizeBytes: number, now: Millis): boolean {
    const before = this.currentBytes;
    if (sizeBytes > MIN_DATAGRAM_BYTES) {
      this.#largestLargeAcked = Math.max(this.#largestLargeAcked, packetNumber);
      this.#suspiciousLosses = 0;
    }
    const isNews = sizeBytes > before;
    if (isNews) {
      this.currentBytes = sizeBytes;
      // What was taken for too long before may have been lost by chance.
      if (sizeBytes >= this.#failedBytes) this.#failedBytes = Number.POSITIVE_INFINITY;
    }
    const isWaiting = this.state.tag === 'base' || this.state.tag === 'error';
    if (isNews || isWaiting) this.#searchOn(now);
    return isNews;
  }

  /** A packet that was no probe was lost; answers whether `currentBytes` changed. */
  onLost(packetNumber: number, sizeBytes: number): boolean {
    const large = sizeBytes > MIN_DATAGRAM_BYTES && sizeBytes <= this.currentBytes;
    if (!large || packetNumber < this.#largestLargeAcked) return false;
    this.#suspiciousLosses += 1;
    if (this.#suspiciousLosses < BLACK_HOLE_LOSSES) return false;
    this.#suspiciousLosses = 0;
    // Where nobody told our kernel of the path's MTU, it is soon safe to try again.
    this.#raiseMs = Math.min(FIRST_RAISE_MS * 2 ** this.blackHoles, MAX_RAISE_MS);
    this.blackHoles += 1;
    this.#failedBytes = this.currentBytes;
    this.currentBytes = MIN_DATAGRAM_BYTES;
    this.state = { tag: 'error' };
    return true;
  }

  onProbeLost(sizeBytes: number, now: Millis): void {
    const { state } = this;
    if (state.tag !== 'searching' || state.probeBytes !== sizeBytes) return;
    state.inFlight = false;
    state.lost += 1;
    if (this.#isLoopback && state.lost < MAX_PROBES) return;
    this.#failedBytes = sizeBytes;
    this.#searchOn(now);
  }

  #searchOn(now: Millis): void {
    const left = this.#sizes.filter((size) => size > this.currentBytes && size < this.#failedBytes);
    const probeBytes = left[this.#isLoopback ? this.#loopbackChoice(left.length) : 0];
    if (probeBytes !== undefined) {
      this.state = { tag: 'searching', probeBytes, lost: 0, inFlight: false };
    } else if (this.#failedBytes === Number.POSITIVE_INFINITY) {
      this.state = { tag: 'complete', raiseAt: NEVER };
    } else {
      this.state = { tag: 'complete', raiseAt: now + this.#raiseMs };
      this.#raiseMs = Math.min(this.#raiseMs * 2, MAX_RAISE_MS);
    }
  }

  /** The longest at once, which mostly is the answer, and then the middle of what is left. */
  #loopbackChoice(count: number): number {
    return this.#failedBytes === Number.POSITIVE_INFINITY ? count - 1 : count >>> 1;
  }

  /** True if a probe may go now. An idle connection is not woken to look for a longer size. */
  isProbeDue(hasData: boolean, now: Millis): boolean {
    if (this.state.tag === 'complete' && hasData && this.state.raiseAt <= now) {
      this.#failedBytes = Number.POSITIVE_INFINITY;
      this.#searchOn(now);
    }
    return this.state.tag === 'searching' && !this.state.inFlight;
  }

  /** The size of the probe that is sent now. */
  takeProbe(): number {
    if (this.state.tag !== 'searching') return this.currentBytes;
    this.state.inFlight = true;
    return this.state.probeBytes;
  }
}
