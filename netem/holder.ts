/** I/O: holds a plan at the agents of its nodes by renewing its leases, until it is let go. */

import { setTimeout as pause } from 'node:timers/promises';
import { FsError, messageOf } from '../protocol/errors.ts';
import { isUnreachable, type AgentLink } from './agent_link.ts';
import type { Missing } from './missing.ts';
import type { Plan } from './plan.ts';

/** How long a node keeps a setting whose command is gone; renewed five times as often. */
export const HOLD_LEASE_MS = 3000;

export interface HoldingTimes {
  readonly renewalMs: number;
  /** How long one node that does not answer may hold up the renewals of the others; with the renewal's less than a lease. */
  readonly patienceMs: number;
  /**
   * How long a node may take for its setting at first: a machine under load starts the dozen commands of tc in
   * seconds, and a daemon that computes or swaps may not answer before. Nodes that were quicker are renewed meanwhile.
   */
  readonly firstPatienceMs: number;
}

const TIMES: HoldingTimes = { renewalMs: 600, patienceMs: 1500, firstPatienceMs: 10_000 };

/** Connects to the agent of a node, which may have to be started; not when `signal` aborts before. */
export type Dial = (node: string, signal?: AbortSignal) => Promise<AgentLink>;

export interface Held {
  readonly missing: readonly Missing[];
  /** Whether another command has cleared it. */
  readonly cleared: boolean;
}

export type HoldEnd = 'over' | 'interrupted' | 'cleared';

export class Holder {
  readonly #plan: Plan;
  readonly #dial: Dial;
  readonly #times: HoldingTimes;
  readonly #links = new Map<string, AgentLink>();
  /** Nodes that have not answered yet: they are not asked again meanwhile. */
  readonly #asked = new Set<string>();
  /** What nodes that were reached have said against it; they may have taken it since. */
  readonly #refusals = new Map<string, string>();
  readonly #taken = new Set<string>();
  #cleared = false;
  /** A node that is reached only now has come too late. */
  readonly #closed = new AbortController();

  constructor(plan: Plan, dial: Dial, times = TIMES) {
    this.#plan = plan;
    this.#dial = dial;
    this.#times = times;
  }

  /** Connects to all nodes, unless `signal` aborts; `hold` says who is not reached. */
  async connect(signal?: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#plan.keys()].map((node) => this.#linkTo(node, signal).catch(() => undefined)),
    );
  }

  /** The nodes that have refused their setting, in their own words, and at no time had it. */
  get refused(): readonly Missing[] {
    return [...this.#refusals].flatMap(([node, reason]) =>
      this.#taken.has(node) ? [] : [{ node, reason }],
    );
  }

  /** Holds for the first time: waits for slow nodes, too, unless `signal` aborts. */
  async begin(leaseMs: number, signal?: AbortSignal): Promise<Held> {
    const { renewalMs, firstPatienceMs } = this.#times;
    const until = performance.now() + firstPatienceMs;
    let held = await this.hold(leaseMs, signal);
    while (this.#asked.size > 0 && performance.now() < until && signal?.aborted !== true) {
      await pause(renewalMs, undefined, { ...(signal && { signal }) }).catch(() => undefined);
      held = await this.hold(leaseMs, signal);
    }
    return held;
  }

  /**
   * Gives every node its setting until `leaseMs` from now. Answers who did not take it, at once when
   * `signal` aborts.
   */
  async hold(leaseMs: number, signal?: AbortSignal): Promise<Held> {
    const asking = [...this.#plan].map(async ([node, setting]): Promise<Missing | undefined> => {
      if (this.#asked.has(node)) return undefined;
      this.#asked.add(node);
      try {
        const link = await this.#linkTo(node);
        const { outcome } = await link.ask<'hold'>({ do: 'hold', setting, leaseMs });
        this.#cleared ||= outcome === 'cleared';
        this.#taken.add(node);
        return undefined;
      } catch (error) {
        const reason = messageOf(error);
        if (!isUnreachable(error)) this.#refusals.set(node, reason);
        return { node, reason };
      } finally {
        this.#asked.delete(node);
      }
    });
    const answers = await this.#inTime(asking, signal);
    const late = [...this.#asked].map((node) => ({ node, reason: 'it has not answered yet' }));
    return { missing: [...answers, ...late], cleared: this.#cleared };
  }

  /** What is missing after a while. One that stands still must not cost the others their settings. */
  async #inTime(
    asking: readonly Promise<Missing | undefined>[],
    signal: AbortSignal | undefined,
  ): Promise<Missing[]> {
    const missing: Missing[] = [];
    const all = Promise.all(
      asking.map(async (answer) => {
        const found = await answer;
        if (found !== undefined) missing.push(found);
      }),
    );
    const patience = new AbortController();
    const ends = AbortSignal.any([patience.signal, ...(signal === undefined ? [] : [signal])]);
    const over = pause(this.#times.patienceMs, undefined, { signal: ends }).catch(() => undefined);
    await Promise.race([all, over]);
    patience.abort();
    return [...missing];
  }

  /**
   * Renews until `forMs` are over (undefined: without end), `signal` aborts, or another command has
   * cleared the settings; then lets go. A node that comes back meanwhile gets its setting again.
   */
  async keep(forMs: number | undefined, signal: AbortSignal): Promise<HoldEnd> {
    const { renewalMs } = this.#times;
    const start = performance.now();
    try {
      for (;;) {
        if (signal.aborted) return 'interrupted';
        const leftMs = (forMs ?? Number.POSITIVE_INFINITY) - (performance.now() - start);
        if (leftMs <= 0) return 'over';
        const { cleared } = await this.hold(Math.min(HOLD_LEASE_MS, leftMs), signal);
        if (cleared) return 'cleared';
        await pause(Math.min(renewalMs, leftMs), undefined, { signal }).catch(() => undefined);
      }
    } finally {
      await this.release();
    }
  }

  /** Ends the settings of the plan where they are, and the connections. */
  async release(): Promise<void> {
    this.#closed.abort();
    const ends = [...this.#links.values()].map(async (link) => {
      const setting = this.#plan.get(link.node);
      if (setting !== undefined && !link.lost) {
        // Who cannot be reached has a lease.
        await link.ask<'clear'>({ do: 'clear', what: { id: setting.id } }).catch(() => undefined);
      }
    });
    await Promise.all(ends);
    this.close();
  }

  /** Ends the connections; the settings go on until their leases end. */
  close(): void {
    this.#closed.abort();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  async #linkTo(node: string, signal?: AbortSignal): Promise<AgentLink> {
    const known = this.#links.get(node);
    if (known?.lost === false) return known;
    const closed = this.#closed.signal;
    const ends = signal === undefined ? closed : AbortSignal.any([closed, signal]);
    const link = await this.#dial(node, ends);
    if (closed.aborted) {
      link.close();
      throw new FsError('ECONNLOST', 'it was reached too late');
    }
    this.#links.set(node, link);
    return link;
  }
}
