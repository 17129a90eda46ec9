/** Who has a file open for writing, for the open policies "wait" and "fail". */

import type { FileNumber } from '../protocol/ids.ts';

/** One application: the link it came by, and its number there. */
export interface Writer {
  readonly link: string;
  readonly client: number;
}

export interface WaitingWriter extends Writer {
  readonly request: number;
}

interface Opening {
  holder: Writer;
  waiting: WaitingWriter[];
}

const same = (a: Writer, b: Writer): boolean => a.link === b.link && a.client === b.client;

export class OpenWriters {
  readonly #files = new Map<FileNumber, Opening>();

  /** Opens the file for `writer`: done, or held by another (then it waits if `wait`). */
  open(file: FileNumber, writer: WaitingWriter, wait: boolean): 'opened' | 'waiting' | 'busy' {
    const opening = this.#files.get(file);
    if (opening === undefined) {
      this.#files.set(file, { holder: writer, waiting: [] });
      return 'opened';
    }
    if (same(opening.holder, writer)) return 'opened';
    if (!wait) return 'busy';
    if (!opening.waiting.some((each) => same(each, writer))) opening.waiting.push(writer);
    return 'waiting';
  }

  /** Closes the file for `writer`; answers the one that has it now, if it waited. */
  close(file: FileNumber, writer: Writer): WaitingWriter | undefined {
    const opening = this.#files.get(file);
    if (opening === undefined) return undefined;
    opening.waiting = opening.waiting.filter((each) => !same(each, writer));
    if (!same(opening.holder, writer)) return undefined;
    const next = opening.waiting.shift();
    if (next === undefined) this.#files.delete(file);
    else opening.holder = next;
    return next;
  }

  /** Closes everything that came by a link; answers whoever may go on now. */
  closeLink(link: string): WaitingWriter[] {
    const next: WaitingWriter[] = [];
    for (const [file, opening] of [...this.#files]) {
      opening.waiting = opening.waiting.filter((each) => each.link !== link);
      if (opening.holder.link !== link) continue;
      const writer = this.close(file, opening.holder);
      if (writer !== undefined) next.push(writer);
    }
    return next;
  }
}
