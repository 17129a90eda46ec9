/** Which losses kills can explain: of files whose owner and backup were both killed, and of no others. Pure. */

import type { LostFile } from '../../cli/process_cluster.ts';
import type { NodeId } from '../../protocol/ids.ts';

export interface StruckNode {
  readonly name: NodeId;
  /** Every dirty file was on two nodes, and all that are not killed were members, at the last look before it. */
  readonly whole: boolean;
}

/** Who was killed before what another one of them held was on two others. */
const goneTogether = (kills: readonly StruckNode[]): ReadonlySet<string> =>
  kills.every(({ whole }) => whole) ? new Set() : new Set(kills.map(({ name }) => name));

/** What of the losses that were declared cannot be, a line each. */
export const impossibleLosses = (
  losses: readonly LostFile[],
  kills: readonly StruckNode[],
): string[] => {
  const gone = goneTogether(kills);
  return losses
    .filter(({ holders }) => holders.length !== 2 || !holders.every((node) => gone.has(node)))
    .map(({ file, holders }) => {
      const held = holders.join(' and ') || 'nobody knows whom';
      const killed = kills.map(({ name }) => name).join(' and ') || 'nobody';
      const whole = kills.length > 1 && gone.size === 0 ? ', each while all was on two nodes' : '';
      return `file ${file}, held by ${held}, was lost when ${killed} had been killed${whole}`;
    });
};
