/**
 * The history of a long run, judged in windows that are cut where nobody writes. What the files hold at the
 * end of one is what the next begins with; a write without an answer stays open beyond its window, unless
 * somebody has seen it. Pure.
 */

import { checkHistory } from '../../cli/check/check_history.ts';
import { showOperation, type Operation } from '../../cli/check/operation.ts';
import type { CommandRecord } from '../../cli/command_record.ts';
import { historyOf } from '../../cli/consistency.ts';

export interface WindowVerdict {
  /** What is wrong, a line each; nothing if all is well. */
  readonly problems: readonly string[];
  /** Writes that were acknowledged. */
  readonly acknowledged: number;
  /** Those of them that nobody has overwritten since, each looked for where it was written. */
  readonly lookedFor: number;
  /** Writes of earlier windows that nobody has overwritten, looked for once more. */
  readonly lookedForAgain: number;
  /** Acknowledged writes that are gone with files that the cluster has declared lost. */
  readonly lostWithFiles: number;
}

interface Place {
  readonly file: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Another write of the window may have come after it. */
  contested: boolean;
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Every place that was written, with the last write that was acknowledged there. */
const placesOf = (writes: readonly Operation[]): ReadonlyMap<string, Place> => {
  const places = new Map<string, Place & { endNs: Operation['endNs'] }>();
  for (const { file, offset, bytes, startNs, endNs } of writes) {
    const key = `${file}:${offset}`;
    const known = places.get(key);
    if (known === undefined) {
      places.set(key, { file, offset, bytes, endNs, contested: endNs === undefined });
    } else if (endNs === undefined || known.endNs === undefined || startNs < known.endNs) {
      known.contested = true;
    } else places.set(key, { file, offset, bytes, endNs, contested: known.contested });
  }
  return places;
};

export class Windows {
  readonly #initial: (file: number) => Uint8Array;
  readonly #contents = new Map<number, Uint8Array>();
  readonly #written = new Set<number>();
  /** What was acknowledged in any window, and must still be there. */
  readonly #standing = new Map<string, Place>();
  /** Writes of earlier windows that were not answered, and that nobody has seen. */
  #open: Operation[] = [];

  /** `initial` tells what each file holds before the first window. */
  constructor(initial: (file: number) => Uint8Array) {
    this.#initial = initial;
  }

  /** All files that were ever written. */
  get written(): ReadonlySet<number> {
    return this.#written;
  }

  /**
   * Judges what was done since the last cut. `found` is what files hold now: all that were written since, all
   * of `lost`, and others that are to be looked into again; `lost` names files of which the cluster has said that their newest contents are lost: their
   * history begins anew.
   */
  cut(
    records: readonly CommandRecord[],
    found: ReadonlyMap<number, Uint8Array>,
    lost: ReadonlySet<number>,
  ): WindowVerdict {
    const before = (file: number): Uint8Array => this.#contents.get(file) ?? this.#initial(file);
    const history = historyOf(records, before).sort((a, b) => (a.startNs < b.startNs ? -1 : 1));
    const operations = [...this.#open, ...history].filter(({ file }) => !lost.has(file));
    const writes = history.filter(({ kind }) => kind === 'write');
    const problems = this.#judge(operations, before);
    const acknowledged = writes.filter(({ endNs }) => endNs !== undefined).length;
    const looked = this.#lookFor(placesOf(writes), found, lost);
    this.#open = operations.filter((operation) => this.#staysOpen(operation, history, found));
    for (const [file, bytes] of found) this.#contents.set(file, bytes);
    return { ...looked, problems: [...problems, ...looked.problems], acknowledged };
  }

  /** Looks for what was written now, and for what has stood since earlier windows in the files that were read. */
  #lookFor(
    fresh: ReadonlyMap<string, Place>,
    found: ReadonlyMap<number, Uint8Array>,
    lost: ReadonlySet<number>,
  ): Omit<WindowVerdict, 'acknowledged'> {
    for (const [key, place] of fresh) {
      this.#written.add(place.file);
      if (place.contested) this.#standing.delete(key);
      else this.#standing.set(key, place);
    }
    const problems: string[] = [];
    const counts = { lookedFor: 0, lookedForAgain: 0, lostWithFiles: 0 };
    for (const [key, { file, offset, bytes }] of this.#standing) {
      const isFresh = fresh.has(key);
      if (!isFresh && !found.has(file) && !lost.has(file)) continue;
      counts[isFresh ? 'lookedFor' : 'lookedForAgain']++;
      const there = found.get(file)?.subarray(offset, offset + bytes.length);
      if (there !== undefined && sameBytes(there, bytes)) continue;
      this.#standing.delete(key);
      if (lost.has(file)) counts.lostWithFiles++;
      else {
        const when = isFresh ? '' : ' of an earlier window';
        problems.push(`file ${file} at ${offset}: an acknowledged write${when} is not there`);
      }
    }
    return { problems, ...counts };
  }

  #judge(operations: readonly Operation[], before: (file: number) => Uint8Array): string[] {
    const result = checkHistory(operations, { initialContents: before });
    if (result.verdict === 'linearizable') return [];
    const piece = result.verdict === 'violation' ? result.piece.map(showOperation) : [];
    return [`linearizable: ${result.verdict}, ${result.message}`, ...piece];
  }

  /** Once somebody has seen it, a write has happened, and does not happen again. */
  #staysOpen(
    { kind, endNs, file, offset, bytes }: Operation,
    history: readonly Operation[],
    found: ReadonlyMap<number, Uint8Array>,
  ): boolean {
    if (kind === 'read' || endNs !== undefined) return false;
    const shows = (seen: Uint8Array, from: number): boolean =>
      offset >= from &&
      sameBytes(seen.subarray(offset - from, offset - from + bytes.length), bytes);
    const now = found.get(file);
    if (now !== undefined && shows(now, 0)) return false;
    return !history.some(
      (each) => each.kind === 'read' && each.file === file && shows(each.bytes, each.offset),
    );
  }
}
