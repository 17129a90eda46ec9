/**
 * A scenario: what happens to a cluster and its network at which time. Here what follows from that
 * alone: whether it can happen, and from when to when each fault lasts. Pure.
 */

import { FsError } from '../protocol/errors.ts';
import type { Profile } from './fault.ts';
import type { Target } from './plan.ts';

export type Action =
  | { readonly do: 'apply'; readonly profile: Profile; readonly target: Target }
  | { readonly do: 'partition'; readonly groups: readonly (readonly string[])[] }
  /** Ends partitions. */
  | { readonly do: 'heal' }
  /** Ends profiles, and partitions if it is all. */
  | { readonly do: 'clear'; readonly what: 'profiles' | 'all' }
  /** What becomes of the process, or the container, of a node. */
  | { readonly do: 'kill' | 'restart' | 'pause' | 'continue'; readonly node: string };

export type Step = Action & {
  readonly atMs: number;
  /** Of `apply` and `partition`: ends by itself after that time. */
  readonly forMs: number | undefined;
};

export interface Scenario {
  readonly about: string;
  /** In the order of their times. */
  readonly steps: readonly Step[];
  /** When all is over. */
  readonly endMs: number;
}

const targetInWords = (target: Target): string => {
  switch (target.kind) {
    case 'all':
      return '';
    case 'node':
      return ` at ${target.node}`;
    case 'link':
      return ` on ${target.from}${target.both ? '<>' : '>'}${target.to}`;
  }
};

/** What a step does, as people would say it. */
export const actionInWords = (action: Action): string => {
  switch (action.do) {
    case 'apply':
      return `apply ${action.profile.name}${targetInWords(action.target)}`;
    case 'partition':
      return `cut ${action.groups.map((group) => group.join(',')).join(' | ')}`;
    case 'heal':
      return 'heal partitions';
    case 'clear':
      return action.what === 'all' ? 'clear all' : 'clear profiles';
    case 'kill':
    case 'restart':
    case 'pause':
    case 'continue':
      return `${action.do} ${action.node}`;
  }
};

/** From when to when something is wrong. */
export interface Band {
  readonly label: string;
  readonly kind: 'profile' | 'partition' | 'paused' | 'down';
  readonly fromMs: number;
  readonly toMs: number;
}

type Open = Omit<Band, 'toMs'> & { readonly untilMs: number };

/** The times of all faults, as the scenario says them, in the order of their beginning. */
export const bandsOf = ({ steps, endMs }: Scenario): readonly Band[] => {
  const open: Open[] = [];
  const bands: Band[] = [];
  const close = (atMs: number, ends: (band: Open) => boolean): void => {
    for (const band of open.filter(ends)) {
      open.splice(open.indexOf(band), 1);
      const { untilMs, ...rest } = band;
      bands.push({ ...rest, toMs: Math.min(untilMs, atMs) });
    }
  };
  for (const step of steps) {
    const { atMs: fromMs, forMs = Infinity } = step;
    const untilMs = fromMs + forMs;
    switch (step.do) {
      case 'apply':
        open.push({ label: actionInWords(step).slice(6), kind: 'profile', fromMs, untilMs });
        break;
      case 'partition':
        open.push({ label: actionInWords(step), kind: 'partition', fromMs, untilMs });
        break;
      case 'heal':
        close(fromMs, ({ kind }) => kind === 'partition');
        break;
      case 'clear':
        close(
          fromMs,
          ({ kind }) => kind === 'profile' || (step.what === 'all' && kind === 'partition'),
        );
        break;
      case 'kill':
        close(fromMs, ({ label }) => label === `${step.node} paused`);
        open.push({ label: `${step.node} down`, kind: 'down', fromMs, untilMs });
        break;
      case 'pause':
        open.push({ label: `${step.node} paused`, kind: 'paused', fromMs, untilMs });
        break;
      case 'restart':
      case 'continue':
        close(
          fromMs,
          ({ label }) => label === `${step.node} down` || label === `${step.node} paused`,
        );
        break;
    }
  }
  close(endMs, () => true);
  return bands.sort((a, b) => a.fromMs - b.fromMs);
};

/** What a node must be for a step, and what it is afterwards. */
const LIFE = {
  kill: { from: ['runs', 'is paused'], to: 'is down' },
  restart: { from: ['is down'], to: 'runs' },
  pause: { from: ['runs'], to: 'is paused' },
  continue: { from: ['is paused'], to: 'runs' },
} as const;

type Life = 'runs' | 'is paused' | 'is down';

const inSeconds = (ms: number): string => `${ms / 1000}s`;

/** Nodes that a step names. */
const namedBy = (step: Step): readonly string[] => {
  switch (step.do) {
    case 'apply': {
      const { target } = step;
      if (target.kind === 'node') return [target.node];
      return target.kind === 'link' ? [target.from, target.to] : [];
    }
    case 'partition':
      return step.groups.flat();
    case 'heal':
    case 'clear':
      return [];
    case 'kill':
    case 'restart':
    case 'pause':
    case 'continue':
      return [step.node];
  }
};

/**
 * Looks whether the steps can happen, one after the other, to a cluster of these nodes.
 * @throws FsError EINVAL that names the step, the value and what would be right.
 */
export const checkScenario = (scenario: Scenario, nodes: readonly string[]): void => {
  const lives = new Map<string, Life>(nodes.map((node) => [node, 'runs']));
  let before = 0;
  for (const [index, step] of scenario.steps.entries()) {
    const refuse = (why: string): never => {
      const place = `step ${index + 1} (${inSeconds(step.atMs)}: ${actionInWords(step)})`;
      throw new FsError('EINVAL', `${place}: ${why}`);
    };
    if (step.atMs < before) {
      refuse(`it comes after ${inSeconds(before)}: expected the steps in the order of their times`);
    }
    before = step.atMs;
    for (const node of namedBy(step)) {
      if (!lives.has(node)) {
        refuse(`there is no node ${JSON.stringify(node)}: expected one of ${nodes.join(', ')}`);
      }
    }
    if (!('node' in step)) continue;
    const { from, to } = LIFE[step.do];
    const life = lives.get(step.node) ?? 'runs';
    if (!(from as readonly Life[]).includes(life)) {
      refuse(`${step.node} ${life} then, expected one that ${from.join(' or ')}`);
    }
    lives.set(step.node, to);
  }
  if (scenario.endMs < before) {
    const last = inSeconds(before);
    const end = inSeconds(scenario.endMs);
    throw new FsError('EINVAL', `end: ${end} is before the last step: expected ${last} or later`);
  }
};
