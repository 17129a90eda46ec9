/** Who has a file open for writing, for the open policies "wait" and "fail". */

import type { FileNumber } from '../protocol/ids.ts';

/** One application: the link it came by, and its number there. */
export interface Writer {
  readonly link: string;
  readonly client: number;
}

/** One opening: a repeat has the same number, a later one of the same application another. */
export interface WaitingWriter extends Writer {
  readonly request: number;
}

interface Held {
  readonly file: FileNumber;
  readonly writer: WaitingWriter;
}

interface Opening {
  holder: WaitingWriter;
  waiting: WaitingWriter[];
}

const same = (a: Writer, b: Writer): boolean => a.link === b.link && a.client === b.client;

const isOpening = (a: WaitingWriter, b: Writer, opening: number | undefined): boolean =>
  same(a, b) && (opening === undefined || a.request === opening);

export class OpenWriters {
  readonly #files = new Map<FileNumber, Opening>();
  /** Openings after a restart of the server, before all have said what they have open. */
  #held: Held[] = [];

  /** Puts an opening off; a repeat is the same one. */
  hold(file: FileNumber, writer: WaitingWriter): void {
    this.#drop(file, writer);
    this.#held.push({ file, writer });
  }

  /** The openings that were put off, in order. */
  release(): readonly Held[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  #drop(file: FileNumber, writer: Writer): void {
    this.#held = this.#held.filter((each) => each.file !== file || !same(each.writer, writer));
  }

  /** Who has each file. */
  get holders(): ReadonlyMap<FileNumber, Writer> {
    return new Map([...this.#files].map(([file, { holder }]) => [file, holder]));
  }

  /** Opens the file for `writer`: done, or held by another (then it waits if `wait`). */
  open(file: FileNumber, writer: WaitingWriter, wait: boolean): 'opened' | 'waiting' | 'busy' {
    const opening = this.#files.get(file);
    if (opening === undefined) {
      this.#files.set(file, { holder: writer, waiting: [] });
      return 'opened';
    }
    if (same(opening.holder, writer)) {
      opening.holder = writer;
      return 'opened';
    }
    if (!wait) return 'busy';
    if (!opening.waiting.some((each) => same(each, writer))) opening.waiting.push(writer);
    return 'waiting';
  }

  /**
   * Ends an opening of the file; answers the one that has it now, if it waited. With the number of the opening, a
   * repeat that comes late ends nothing that was opened since.
   */
  close(file: FileNumber, writer: Writer, opened?: number): WaitingWriter | undefined {
    const isEnded = (each: WaitingWriter): boolean => isOpening(each, writer, opened);
    this.#held = this.#held.filter((each) => each.file !== file || !isEnded(each.writer));
    const opening = this.#files.get(file);
    if (opening === undefined) return undefined;
    opening.waiting = opening.waiting.filter((each) => !isEnded(each));
    if (!isEnded(opening.holder)) return undefined;
    const next = opening.waiting.shift();
    if (next === undefined) this.#files.delete(file);
    else opening.holder = next;
    return next;
  }

  /** Closes everything that came by a link; answers whoever may go on now. */
  closeLink(link: string): WaitingWriter[] {
    const next: WaitingWriter[] = [];
    this.#held = this.#held.filter(({ writer }) => writer.link !== link);
    for (const [file, opening] of [...this.#files]) {
      opening.waiting = opening.waiting.filter((each) => each.link !== link);
      if (opening.holder.link !== link) continue;
      const writer = this.close(file, opening.holder);
      if (writer !== undefined) next.push(writer);
    }
    return next;
  }
}
