/** Which file a cacher gives up when it needs pages: one interface, one policy a file number. */

/** What a policy may look at; hints may be wrong, which costs time and never data. */
export interface Candidate {
  readonly lastUsedMs: number;
  /** No write of it is missing on the disk. */
  readonly clean: boolean;
  /** Copies in the cluster, this one included, as far as is known. */
  readonly copies: number;
}

export interface ReplacementPolicy {
  readonly name: string;
  /** How often a last copy is moved to another node before it is dropped (N of N-chance). */
  readonly chances: number;
  /** The one to give up; undefined only for an empty list. */
  readonly choose: <T extends Candidate>(candidates: readonly T[]) => T | undefined;
}

const oldest = <T extends Candidate>(candidates: readonly T[]): T | undefined => {
  let found: T | undefined;
  for (const each of candidates) {
    if (found === undefined || each.lastUsedMs < found.lastUsedMs) found = each;
  }
  return found;
};

/**
 * The course's order: a clean file that others hold too (more than two copies first), else the file
 * that was used longest ago. A last copy is recirculated N = 2 times (Dahlin et al. 1994, §2.4).
 */
export const COURSE: ReplacementPolicy = {
  name: 'course',
  chances: 2,
  choose: (candidates) =>
    oldest(candidates.filter(({ clean, copies }) => clean && copies > 2)) ??
    oldest(candidates.filter(({ clean, copies }) => clean && copies > 1)) ??
    oldest(candidates),
};
