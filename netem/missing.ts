/** Who does not do what is asked for, and how that is told. Pure. */

/** A node that did not take its setting, and why, in words that call it "it". */
export interface Missing {
  readonly node: string;
  readonly reason: string;
}

/** "n1: no such queue", "n1 has not answered yet". */
export const missingInWords = ({ node, reason }: Missing): string =>
  reason.startsWith('it ') ? `${node}${reason.slice('it'.length)}` : `${node}: ${reason}`;
