/** Invariants that hold in production too: a wrong answer is worse than none (design, section 2). */

/** An invariant of a core does not hold; its daemon logs this and stops. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new AssertionFailed(claim);
}
