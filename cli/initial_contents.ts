/** Does I/O: what files hold before a run, for the check of its history. */

import { connect, type CoopFs } from '../applib/index.ts';
import { fillContents } from '../fileserver/disk/fill.ts';
import { FIRST_VERSION, compareVersions, fileSizeBytes } from '../protocol/ids.ts';
import type { Target } from './application_messages.ts';
import { PATTERN_FILL, UNKNOWN_FILL } from './cluster_config.ts';

export type InitialContents = (file: number) => Uint8Array;

/** True if nobody ever wrote to the file, as far as the directory knows. */
const isUntouched = async (fs: CoopFs, file: number): Promise<boolean> => {
  // A file that is dirty for the first time is still of the first version at the server.
  const { version, state, term } = await fs.where(file);
  return compareVersions(version, FIRST_VERSION) === 0 && state !== 'dirty' && term === 0;
};

const readWhole = async (fs: CoopFs, number: number): Promise<Uint8Array> => {
  await using file = await fs.open(number, 'r');
  return await file.read(file.sizeBytes);
};

/**
 * The contents of these files of the volume. Those that were never written are computed from what
 * filled the disk, which moves no data between the nodes; the others are read by way of `target`.
 */
export const initialContents = async (
  files: Iterable<number>,
  target: Target,
  fill: string,
): Promise<InitialContents> => {
  const contents = new Map<number, Uint8Array>();
  await using fs = await connect(target);
  const sizeBytes = fileSizeBytes(fs.geometry);
  const filledWith = fill === PATTERN_FILL ? undefined : fill;
  for (const file of new Set(files)) {
    if (file >= fs.geometry.files) continue;
    const untouched = fill !== UNKNOWN_FILL && (await isUntouched(fs, file));
    contents.set(
      file,
      untouched ? fillContents(file, sizeBytes, filledWith) : await readWhole(fs, file),
    );
  }
  return (file) => contents.get(file) ?? new Uint8Array(sizeBytes);
};
