/** Does I/O: carries a scenario out on a cluster, step by step; nothing of it is left when it is over. */

import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { AgentLink } from '../netem/agent_link.ts';
import { Holder, HOLD_LEASE_MS } from '../netem/holder.ts';
import { missingInWords } from '../netem/missing.ts';
import { planPartition, planProfile, type NetemNode, type Plan } from '../netem/plan.ts';
import { actionInWords, checkScenario, type Scenario, type Step } from '../netem/scenario.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import type { NetemCluster } from './netem_cluster.ts';
import type { NodeControl } from './node_control.ts';

/** A step as it will be carried out: with the plan of its fault, if it has one. */
export interface PlannedStep {
  readonly step: Step;
  readonly plan: Plan | undefined;
}

const planOf = (step: Step, nodes: readonly NetemNode[], seed: number, id: string) => {
  switch (step.do) {
    case 'apply':
      return planProfile(nodes, step.profile, step.target, seed, id);
    case 'partition':
      return planPartition(nodes, step.groups, id);
    case 'heal':
    case 'clear':
    case 'kill':
    case 'restart':
    case 'pause':
    case 'continue':
      return undefined;
  }
};

/**
 * All steps, looked through before the first of them. `id` differs from every other run's.
 * @throws FsError EINVAL for what cannot happen to these nodes.
 */
export const planScenario = (
  scenario: Scenario,
  nodes: readonly NetemNode[],
  seed: number,
  id: string,
): readonly PlannedStep[] => {
  checkScenario(
    scenario,
    nodes.map(({ name }) => name),
  );
  return scenario.steps.map((step, index) => ({
    step,
    plan: planOf(step, nodes, seed + index, `${id}.${index + 1}`),
  }));
};

interface Held {
  readonly kind: 'apply' | 'partition';
  readonly letGo: AbortController;
}

/** "  2.0 s  ", for the lines of progress. */
const clock = (ms: number): string => `${(ms / 1000).toFixed(1).padStart(6)} s`;

/** A cluster whose nodes can be killed. */
export type ControlledCluster = NetemCluster & { readonly control: NodeControl };

export interface ScenarioSurroundings {
  readonly cluster: ControlledCluster;
  readonly tell: (line: string) => void;
}

class ScenarioRun {
  readonly #with: ScenarioSurroundings;
  readonly #startMs = performance.now();
  readonly #held: Held[] = [];
  /** Faults until their ends. The steps after do not wait for them: a node that stands still may take seconds to answer. */
  readonly #faults: Promise<void>[] = [];
  /** Starts of nodes that are under way: the steps after them do not wait. */
  readonly #starting: Promise<void>[] = [];
  /** Faults that a node never had, though it was reached: a sentence each. */
  readonly #refusals: string[] = [];

  constructor(surroundings: ScenarioSurroundings) {
    this.#with = surroundings;
  }

  async waitUntil(atMs: number, signal: AbortSignal): Promise<void> {
    const leftMs = atMs - this.#nowMs();
    if (leftMs > 0) await pause(leftMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }

  async perform({ step, plan }: PlannedStep): Promise<void> {
    this.#tell(actionInWords(step));
    const { control } = this.#with.cluster;
    switch (step.do) {
      case 'apply':
      case 'partition':
        if (plan !== undefined) this.#begin(step.do, actionInWords(step), plan, step.forMs);
        return;
      case 'heal':
        this.#letGo(({ kind }) => kind === 'partition');
        return;
      case 'clear':
        this.#letGo(({ kind }) => step.what === 'all' || kind === 'apply');
        return;
      case 'restart':
        this.#starting.push(this.#restart(step.node));
        return;
      case 'kill':
        await control.kill(step.node);
        return;
      case 'pause':
        await control.pause(step.node);
        return;
      case 'continue':
        await control.continue(step.node);
    }
  }

  /** @throws FsError of a node that did not start. */
  async settle(): Promise<void> {
    await Promise.all(this.#starting);
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.#starting);
    await this.#with.cluster.control.close();
    this.#letGo(() => true);
    await Promise.all(this.#faults);
  }

  /** After the end. @throws FsError EINVAL for a fault that did not happen at a node, which refused it. */
  checkFaults(): void {
    const [first, ...more] = this.#refusals;
    if (first === undefined) return;
    const others = more.length === 0 ? '' : ` (and ${more.length} more such faults)`;
    throw new FsError('EINVAL', `${first}${others}`);
  }

  #nowMs(): number {
    return performance.now() - this.#startMs;
  }

  #tell(line: string): void {
    this.#with.tell(`${clock(this.#nowMs())}  ${line}`);
  }

  async #restart(node: string): Promise<void> {
    await this.#with.cluster.control.restart(node);
    this.#tell(`${node} serves again`);
  }

  #begin(kind: Held['kind'], words: string, plan: Plan, forMs: number | undefined): void {
    const letGo = new AbortController();
    this.#held.push({ kind, letGo });
    this.#faults.push(this.#hold(words, plan, forMs, letGo.signal));
  }

  async #hold(
    words: string,
    plan: Plan,
    forMs: number | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const startMs = this.#nowMs();
    const holder = new Holder(plan, this.#with.cluster.dial);
    // A node that holds up the others must not lengthen the fault at them.
    const leaseMs = Math.min(HOLD_LEASE_MS, forMs ?? Infinity);
    const { missing } = await holder.hold(leaseMs, signal);
    // Those that are down get it when they are back.
    for (const { node, reason } of missing) this.#tell(`${node} has not taken it yet: ${reason}`);
    const leftMs = forMs === undefined ? undefined : forMs - (this.#nowMs() - startMs);
    const end = await holder.keep(leftMs, signal);
    for (const each of holder.refused) {
      this.#refusals.push(`"${words}" has not happened at ${missingInWords(each)}`);
    }
    if (end === 'over') this.#tell(`over: ${words}`);
    if (end === 'cleared') this.#tell(`cleared by another command: ${words}`);
  }

  #letGo(ends: (held: Held) => boolean): void {
    for (const held of this.#held.filter(ends)) {
      this.#held.splice(this.#held.indexOf(held), 1);
      held.letGo.abort();
    }
  }
}

/**
 * Agents that have to be started are, before the clock of the scenario runs, and stay until it is over. When `signal`
 * aborts, who is not reached by then is not waited for.
 */
const reachAgents = async (
  { nodes, dial }: NetemCluster,
  signal: AbortSignal,
): Promise<AgentLink[]> => {
  const links: AgentLink[] = [];
  const reached = nodes.map(async ({ name }) => {
    const link = await dial(name, signal);
    if (signal.aborted) link.close();
    else links.push(link);
  });
  const over = new AbortController();
  const aborted = once(signal, 'abort', { signal: over.signal }).catch(() => undefined);
  if (!signal.aborted) await Promise.race([Promise.allSettled(reached), aborted]);
  over.abort();
  return links;
};

/**
 * Resolves when the scenario is over; when `signal` aborts, that is at once, and it throws. Either
 * way its faults have ended then, and what it had paused goes on; what it had killed stays so.
 * @throws FsError at its end for a fault that a node refused: what it was to show has not happened.
 */
export const runScenario = async (
  { endMs }: Scenario,
  steps: readonly PlannedStep[],
  surroundings: ScenarioSurroundings,
  signal: AbortSignal,
): Promise<void> => {
  const links = await reachAgents(surroundings.cluster, signal);
  const run = new ScenarioRun(surroundings);
  try {
    for (const planned of steps) {
      await run.waitUntil(planned.step.atMs, signal);
      await run.perform(planned);
    }
    await run.waitUntil(endMs, signal);
    await run.settle();
  } catch (error) {
    surroundings.tell(`ended early: ${messageOf(error)}`);
    throw error;
  } finally {
    await run.end();
    for (const link of links) link.close();
  }
  run.checkFaults();
};
