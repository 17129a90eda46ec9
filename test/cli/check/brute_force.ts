/** The definition of linearizability, tried out literally; for histories of a few operations. */

import { compareTimes, type Operation } from '../../../cli/check/operation.ts';

const precedes = (a: Operation, b: Operation): boolean =>
  a.endNs !== undefined && compareTimes(a.endNs, b.startNs) < 0;

const sees = (contents: Uint8Array, operation: Operation): boolean =>
  operation.bytes.every((byte, index) => contents[operation.offset + index] === byte);

/** True if some order of the operations explains what each saw; unanswered ones may be left out. */
export const isLinearizable = (left: readonly Operation[], contents: Uint8Array): boolean => {
  if (left.every(({ endNs }) => endNs === undefined)) return true;
  return left.some((next) => {
    if (left.some((other) => other !== next && precedes(other, next))) return false;
    const rest = left.filter((other) => other !== next);
    if (next.kind === 'read') {
      return (next.endNs === undefined || sees(contents, next)) && isLinearizable(rest, contents);
    }
    const after = contents.slice();
    after.set(next.bytes, next.offset);
    return isLinearizable(rest, after);
  });
};
