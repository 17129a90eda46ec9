/** What `coopfs netem` prints of plans. */

import { faultInWords } from '../netem/fault_words.ts';
import type { NetemNode, Plan } from '../netem/plan.ts';
import type { Rule } from '../netem/setting.ts';
import type { NetemCluster } from './netem_cluster.ts';

/** The other end of a rule: its name, or that it is for everybody. */
const peerOf = (nodes: readonly NetemNode[], { peer }: Rule): string => {
  if (peer === undefined) return 'everybody';
  return nodes.find(({ address }) => address === peer)?.name ?? peer;
};

export const ruleInWords = (nodes: readonly NetemNode[], rule: Rule): string => {
  const way = rule.direction === 'out' ? 'to' : 'from';
  return `${way} ${peerOf(nodes, rule)}: ${faultInWords(rule.fault)}`;
};

/** What would be done at each node. */
export const planInWords = ({ engine, nodes }: NetemCluster, plan: Plan): string[] =>
  [...plan].flatMap(([node, { rules, seed }]) =>
    rules.map((rule) => `${engine} at ${node}, ${ruleInWords(nodes, rule)} (seed ${seed})`),
  );
