/**
 * The settings of one node, each under a lease: one that is not renewed ends, so that nothing outlives
 * the command that asked for it. Pure: time comes in, in ms on one monotonic clock.
 */

import type { Setting } from './setting.ts';

/** More than anybody applies; the next one is refused. */
export const SETTINGS_LIMIT = 256;
/** Cleared ids that are remembered, so that whoever holds one of them is told. */
const CLEARED_LIMIT = 1024;

/** What a command may clear. */
export type Selection = 'profile' | 'partition' | 'all' | { readonly id: string };

interface Held {
  readonly setting: Setting;
  until: number;
}

export type HoldOutcome = 'new' | 'renewed' | 'cleared' | 'full';

export class SettingTable {
  readonly #held = new Map<string, Held>();
  readonly #cleared = new Set<string>();
  /** Rises whenever what applies has changed. */
  version = 0;

  /** Takes a setting, or renews the one of the same id, until `leaseMs` from now. */
  hold(setting: Setting, leaseMs: number, now: number): HoldOutcome {
    this.expire(now);
    if (this.#cleared.has(setting.id)) return 'cleared';
    const held = this.#held.get(setting.id);
    if (held !== undefined) {
      held.until = now + leaseMs;
      return 'renewed';
    }
    if (this.#held.size >= SETTINGS_LIMIT) return 'full';
    this.#held.set(setting.id, { setting, until: now + leaseMs });
    this.version += 1;
    return 'new';
  }

  /** Gives up what was not brought about. Whoever asked for it may ask again. */
  withdraw(id: string): void {
    if (this.#held.delete(id)) this.version += 1;
  }

  /** Ends what is selected, and refuses its renewal from now on. Answers what it was. */
  clear(selection: Selection): Setting[] {
    const gone = [...this.#held.values()].map(({ setting }) => setting).filter(isIn(selection));
    for (const { id } of gone) {
      this.#held.delete(id);
      this.#cleared.add(id);
    }
    for (const id of this.#cleared) {
      if (this.#cleared.size <= CLEARED_LIMIT) break;
      this.#cleared.delete(id);
    }
    if (gone.length > 0) this.version += 1;
    return gone;
  }

  /** Ends what was not renewed in time. */
  expire(now: number): void {
    for (const [id, { until }] of this.#held) {
      if (until > now) continue;
      this.#held.delete(id);
      this.version += 1;
    }
  }

  /** When the next lease ends; undefined if nothing is held. */
  nextExpiry(): number | undefined {
    let earliest: number | undefined;
    for (const { until } of this.#held.values()) earliest = Math.min(until, earliest ?? until);
    return earliest;
  }

  /** What is held, the oldest first. */
  settings(): readonly Setting[] {
    return [...this.#held.values()].map(({ setting }) => setting);
  }

  /** How long the lease of a setting goes on, in ms. */
  leftMs(id: string, now: number): number {
    return Math.max(0, (this.#held.get(id)?.until ?? now) - now);
  }
}

const isIn =
  (selection: Selection) =>
  ({ id, kind }: Setting): boolean => {
    if (typeof selection === 'object') return selection.id === id;
    return selection === 'all' || selection === kind;
  };
