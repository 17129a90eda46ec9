/** Does I/O: what files hold before a run, for the check of its history. */

import { LENGTH_LIMIT_BYTES } from '../applib/arguments.ts';
import { connect, type CoopFs } from '../applib/index.ts';
import { fillContents } from '../fileserver/disk/fill.ts';
import { FIRST_VERSION, SERVER, compareVersions, fileSizeBytes } from '../protocol/ids.ts';
import type { Daemon } from './application_messages.ts';
import { PATTERN_FILL, UNKNOWN_FILL } from './cluster_config.ts';
import { parseRequestSet } from './request_set.ts';
import { runSets } from './run_sets.ts';

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
  target: Daemon,
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

/**
 * The same, read by an application somewhere else: what `launch` starts finds the file server by its
 * environment. A file that it cannot read counts as empty.
 * @throws Error if that application does not come to its end.
 */
export const initialContentsThere = async (
  files: readonly number[],
  launch: readonly string[],
): Promise<InitialContents> => {
  const lines = files.map(
    (file) => `open ${file} 0\nread ${file} ${LENGTH_LIMIT_BYTES}\nclose ${file}`,
  );
  const set = parseRequestSet(lines.join('\n'), 'initial contents');
  if (!set.ok) throw new Error(set.errors.join('\n'));
  const target = { fromEnvironment: true } as const;
  const reader = { node: SERVER, target, commands: set.commands, launch };
  const { records, failures } = await runSets([reader], () => undefined);
  if (failures.length > 0) throw new Error(failures.join('\n'));
  const contents = new Map(
    records.flatMap(({ file, data }) => (data === undefined ? [] : [[file, data] as const])),
  );
  return (file) => contents.get(file) ?? new Uint8Array();
};
