/** Cuts a stream of text into lines. Pure. */

/** A longer line breaks the protocol. */
const LINE_LIMIT = 4 * 1024 * 1024;

export class LineStream {
  #rest = '';

  /** The lines that `text` completes. @throws RangeError for a line beyond 4 MiB. */
  push(text: string): string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LINE_LIMIT) {
      throw new RangeError(`a line has more than ${LINE_LIMIT} characters`);
    }
    return lines;
  }
}
