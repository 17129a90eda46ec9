/** What the linearizability checker is given, and what it answers. */

/** When something happened, in ns on one machine-wide monotonic clock. */
export type Time = number | bigint;

interface Call {
  /** Who called; only for people who read a verdict. */
  readonly process: string | number;
  readonly file: number;
  readonly offset: number;
  readonly startNs: Time;
  /**
   * Undefined if no answer came: such a write may have happened at any time after its start, or
   * never; such a read tells nothing.
   */
  readonly endNs: Time | undefined;
}

export interface ReadOperation extends Call {
  readonly kind: 'read';
  /** How many bytes were asked for. */
  readonly length: number;
  /** What came; fewer than were asked for only at the end of the file. */
  readonly bytes: Uint8Array;
}

export interface WriteOperation extends Call {
  readonly kind: 'write';
  /** What was written, as far as it fitted in the file. */
  readonly bytes: Uint8Array;
}

export type Operation = ReadOperation | WriteOperation;

/** The order of two times. */
export const compareTimes = (a: Time, b: Time): number => (a < b ? -1 : a > b ? 1 : 0);

const SHOWN_BYTES = 32;

const printable = (byte: number): boolean => byte >= 0x20 && byte < 0x7f;

/** Bytes for people: text where it is printable, \xNN where not, cut after 32. */
export const showBytes = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes.subarray(0, SHOWN_BYTES)) {
    if (printable(byte)) text += byte === 0x22 || byte === 0x5c ? '\\' : '';
    text += printable(byte)
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `"${text}"${bytes.length > SHOWN_BYTES ? `… (${bytes.length} bytes)` : ''}`;
};

/** One line about an operation: who did what, with which bytes, when. */
export const showOperation = (operation: Operation): string => {
  const { process, kind, file, offset, bytes, startNs, endNs } = operation;
  const when = `[${startNs.toString()} .. ${endNs === undefined ? 'no answer' : endNs.toString()}]`;
  return `${process}: ${kind} file ${file} at ${offset}: ${showBytes(bytes)} ${when}`;
};
