/** What is known of every file, in memory: 47 bytes a file, and its outcomes where there are any. */

import { assert } from '../../protocol/assert.ts';
import type { FileNumber, Outcome } from '../../protocol/ids.ts';
import type { AllocationEntry } from './allocation_table.ts';
import { NO_NODE } from './allocation_table.ts';

const NO_OUTCOMES: readonly Outcome[] = [];

export class FileMetas {
  readonly #files: number;
  readonly #blocksPerFile: number;
  readonly #term: Float64Array;
  readonly #counter: Float64Array;
  readonly #markTerm: Float64Array;
  readonly #owner: Uint16Array;
  readonly #backup: Uint16Array;
  readonly #firstBlock: Float64Array;
  readonly #contentSequence: Float64Array;
  readonly #losses: Uint16Array;
  readonly #outcomes = new Map<FileNumber, readonly Outcome[]>();

  constructor(files: number, blocksPerFile: number) {
    this.#files = files;
    this.#blocksPerFile = blocksPerFile;
    this.#term = new Float64Array(files);
    this.#counter = new Float64Array(files);
    this.#markTerm = new Float64Array(files);
    this.#owner = new Uint16Array(files).fill(NO_NODE);
    this.#backup = new Uint16Array(files).fill(NO_NODE);
    this.#firstBlock = new Float64Array(files);
    this.#contentSequence = new Float64Array(files);
    this.#losses = new Uint16Array(files);
  }

  set(entry: AllocationEntry): void {
    const { file } = entry;
    assert(file < this.#files, `file ${file} is one of ${this.#files}`);
    this.#term[file] = entry.version.term;
    this.#counter[file] = entry.version.counter;
    this.#markTerm[file] = entry.mark?.term ?? 0;
    this.#owner[file] = entry.mark?.owner ?? NO_NODE;
    this.#backup[file] = entry.mark?.backup ?? NO_NODE;
    this.#firstBlock[file] = entry.firstBlock;
    this.#contentSequence[file] = entry.contentSequence;
    this.#losses[file] = entry.losses;
    if (entry.outcomes.length > 0) this.#outcomes.set(file, entry.outcomes);
    else this.#outcomes.delete(file);
  }

  get(file: FileNumber): AllocationEntry {
    assert(
      Number.isInteger(file) && file >= 0 && file < this.#files,
      `file ${file} is one of ${this.#files}`,
    );
    const owner = this.#owner[file] as number;
    return {
      file,
      firstBlock: this.#firstBlock[file] as number,
      blocks: this.#blocksPerFile,
      version: { term: this.#term[file] as number, counter: this.#counter[file] as number },
      mark:
        owner === NO_NODE
          ? undefined
          : { term: this.#markTerm[file] as number, owner, backup: this.#backup[file] as number },
      outcomes: this.#outcomes.get(file) ?? NO_OUTCOMES,
      losses: this.#losses[file] as number,
      contentSequence: this.#contentSequence[file] as number,
    };
  }

  /** In rising order. */
  markedFiles(): FileNumber[] {
    const marked: FileNumber[] = [];
    this.#owner.forEach((owner, file) => {
      if (owner !== NO_NODE) marked.push(file as FileNumber);
    });
    return marked;
  }

  /** The files that have lost writes, in rising order. */
  filesWithLosses(): FileNumber[] {
    const found: FileNumber[] = [];
    this.#losses.forEach((losses, file) => {
      if (losses > 0) found.push(file as FileNumber);
    });
    return found;
  }

  /** The numbers of all nodes that a mark names. */
  markedNodes(): Set<number> {
    const nodes = new Set<number>();
    for (const file of this.markedFiles()) {
      nodes.add(this.#owner[file] as number);
      nodes.add(this.#backup[file] as number);
    }
    return nodes;
  }
}
