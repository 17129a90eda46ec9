/** When the keys of what a connection sends are changed (RFC 9001 §6). */

import type { Millis } from './millis.ts';
import type { PacketProtection } from './protection.ts';

export class KeyUpdate {
  readonly #protection: PacketProtection;
  readonly #packets: number;
  readonly #ageMs: Millis;
  /** The generation whose beginning the fields below tell. */
  #generation = 0;
  #firstPacketNumber = 0;
  #since: Millis;
  /** The peer has acknowledged a packet of this generation: it has the keys (§6.1). */
  #confirmed = false;

  constructor(protection: PacketProtection, packets: number, ageMs: Millis, now: Millis) {
    this.#protection = protection;
    this.#packets = packets;
    this.#ageMs = ageMs;
    this.#since = now;
  }

  /**
   * To be called before a packet is sealed: changes the keys if it is time. Until the peer has
   * confirmed the present ones that must wait, as one bit is all that tells generations apart.
   */
  beforeSealing(packetNumber: number, now: Millis): void {
    if (this.#generation !== this.#protection.generation) this.#begin(packetNumber, now);
    if (!this.#confirmed) return;
    const old = now - this.#since >= this.#ageMs;
    if (!old && packetNumber - this.#firstPacketNumber < this.#packets) return;
    this.#protection.update();
    this.#begin(packetNumber, now);
  }

  #begin(packetNumber: number, now: Millis): void {
    this.#generation = this.#protection.generation;
    this.#firstPacketNumber = packetNumber;
    this.#since = now;
    this.#confirmed = false;
  }

  /** The peer has acknowledged packets up to this number. */
  onAcked(largestAcked: number): void {
    if (largestAcked >= this.#firstPacketNumber) this.#confirmed = true;
  }
}
