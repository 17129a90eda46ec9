/** Which acknowledged writes are not there any more when all is over. Pure. */

import type { CommandRecord } from '../command_record.ts';

const textOf = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes);

/** Acknowledged writes of a history. */
export const acknowledged = (records: readonly CommandRecord[]): readonly CommandRecord[] =>
  records.filter(({ command, copies }) => command === 'write' && copies !== undefined);

/**
 * How many acknowledged writes were lost: those that began after the end of the write that a last read of
 * their file shows, or all of a file's if it shows none of its writes. Every text is written once, to the
 * beginning of a file.
 */
export const lostWrites = (
  records: readonly CommandRecord[],
  last: ReadonlyMap<number, Uint8Array>,
): number => {
  const writes = records.filter(({ command }) => command === 'write');
  let lost = 0;
  for (const [file, bytes] of last) {
    const shown = textOf(bytes);
    const source = writes.find(
      (each) => each.file === file && each.data !== undefined && textOf(each.data) === shown,
    );
    // A write without an answer may have happened at any time after its start.
    const endNs =
      source === undefined ? -1n : source.copies === undefined ? undefined : source.endNs;
    if (endNs === undefined) continue;
    lost += acknowledged(writes).filter(
      (each) => each.file === file && each.startNs > endNs,
    ).length;
  }
  return lost;
};
