/** Which rules which node gets, for a profile or a partition. Pure. */

import { FsError } from '../protocol/errors.ts';
import { SERVER } from '../protocol/ids.ts';
import { CUT, faultOf, type Fault, type Profile, type Way } from './fault.ts';
import { seedOf } from './seeded_random.ts';
import type { Rule, Setting } from './setting.ts';

/** A node as the engines see it. */
export interface NetemNode {
  readonly name: string;
  /** What its datagrams come from and go to: "127.0.0.1:7001", or an address without a port. */
  readonly address: string;
}

export type Target =
  /** Every link between two nodes, in both directions. */
  | { readonly kind: 'all' }
  /** What the node sends and what it gets. */
  | { readonly kind: 'node'; readonly node: string }
  /** One direction of one link, or both. */
  | { readonly kind: 'link'; readonly from: string; readonly to: string; readonly both: boolean };

/** What one command asks for: a setting for each node that has a part in it. */
export type Plan = ReadonlyMap<string, Setting>;

/** @throws FsError EINVAL that names the nodes there are. */
const nodeOf = (nodes: readonly NetemNode[], name: string): NetemNode => {
  const found = nodes.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = nodes.map((each) => each.name).join(', ');
  throw new FsError('EINVAL', `there is no node ${JSON.stringify(name)}: expected one of ${names}`);
};

/** What the server sends goes down to a node; what a node sends goes up. */
const wayFrom = (sender: string): Way => (sender === SERVER ? 'down' : 'up');
const wayTo = (receiver: string): Way => (receiver === SERVER ? 'up' : 'down');

const out = (fault: Fault, peer?: NetemNode): Rule => ({
  direction: 'out',
  peer: peer?.address,
  fault,
});

type RulesOf = readonly (readonly [node: string, rules: readonly Rule[]])[];

const rulesOf = (nodes: readonly NetemNode[], profile: Profile, target: Target): RulesOf => {
  switch (target.kind) {
    case 'all':
      // A queue for each link: what is slow to one peer is not in the way of another.
      return nodes.map((from) => {
        const fault = faultOf(profile, wayFrom(from.name));
        const others = nodes.filter((to) => to !== from);
        return [from.name, others.map((to) => out(fault, to))] as const;
      });
    case 'node': {
      const { name } = nodeOf(nodes, target.node);
      const into: Rule = { direction: 'in', peer: undefined, fault: faultOf(profile, wayTo(name)) };
      return [[name, [out(faultOf(profile, wayFrom(name))), into]]];
    }
    case 'link': {
      const from = nodeOf(nodes, target.from);
      const to = nodeOf(nodes, target.to);
      if (from === to) throw new FsError('EINVAL', `--link ${target.from}>${target.to} is no link`);
      const there = [from.name, [out(faultOf(profile, wayFrom(from.name)), to)]] as const;
      const back = [to.name, [out(faultOf(profile, wayFrom(to.name)), from)]] as const;
      return target.both ? [there, back] : [there];
    }
  }
};

/** Gives every node a chance of its own that follows from the seed of all. */
const withSeeds = (rules: RulesOf, seed: number, same: Omit<Setting, 'rules' | 'seed'>): Plan =>
  new Map(
    rules.map(([node, list]) => [node, { ...same, seed: seedOf(`${seed}/${node}`), rules: list }]),
  );

/** @throws FsError EINVAL for a node that is not there. */
export const planProfile = (
  nodes: readonly NetemNode[],
  profile: Profile,
  target: Target,
  seed: number,
  id: string,
): Plan =>
  withSeeds(rulesOf(nodes, profile, target), seed, { id, kind: 'profile', label: profile.name });

/** "n1>n2" as its two ends; undefined if it is none. */
export const parseLink = (text: string): { from: string; to: string } | undefined => {
  const [, from, to] = /^([\w.-]+)>([\w.-]+)$/.exec(text) ?? [];
  return from === undefined || to === undefined ? undefined : { from, to };
};

/** "n1,n2 | n3,server" as its groups. @throws FsError EINVAL if it is none. */
export const parseGroups = (text: string): readonly (readonly string[])[] => {
  const groups = text
    .split('|')
    .map((group) => group.split(/[,\s]+/).filter((name) => name !== ''));
  const names = groups.flat();
  const wrong = (why: string): FsError =>
    new FsError('EINVAL', `partition ${JSON.stringify(text)}: ${why}, such as n1,n2 '|' n3,server`);
  if (groups.length < 2 || groups.some((group) => group.length === 0)) {
    throw wrong('expected two groups or more with a | between them');
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw wrong(`${twice} is named twice, expected each node once`);
  return groups;
};

/** Cuts every link between two groups, in both directions; nodes of no group keep theirs. */
export const planPartition = (
  nodes: readonly NetemNode[],
  groups: readonly (readonly string[])[],
  id: string,
): Plan => {
  const rules = groups.flatMap((group) => {
    const others = groups.filter((each) => each !== group).flat();
    return group.map((name) => {
      const { name: node } = nodeOf(nodes, name);
      return [node, others.map((other) => out(CUT, nodeOf(nodes, other)))] as const;
    });
  });
  const label = groups.map((group) => group.join(',')).join(' | ');
  return withSeeds(rules, 0, { id, kind: 'partition', label });
};
