/** `coopfs format`: makes a disk image. */

import { Command } from 'commander';
import { formatImage } from '../fileserver/disk/image_file.ts';
import { checkGeometry } from '../fileserver/disk/layout.ts';
import { messageOf } from '../protocol/errors.ts';
import { fileSizeBytes, type Geometry } from '../protocol/ids.ts';
import { print, runs, withExamples } from './action.ts';
import { EXIT, UsageError } from './exit_status.ts';
import { declareOptions, resolveOptions } from './options.ts';

const NAMES = ['disk', 'files', 'blockSize', 'blocksPerFile', 'fill', 'force'] as const;

/** @throws UsageError if no disk can be like this, though each number alone is in its range. */
export const geometryOf = (options: {
  readonly files: number;
  readonly blockSize: number;
  readonly blocksPerFile: number;
}): Geometry => {
  const geometry = {
    files: options.files,
    blockSizeBytes: options.blockSize,
    blocksPerFile: options.blocksPerFile,
  };
  try {
    checkGeometry(geometry);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  return geometry;
};

export const geometryInWords = (geometry: Geometry): string =>
  `${geometry.files} files of ${fileSizeBytes(geometry)} bytes ` +
  `(${geometry.blocksPerFile} blocks of ${geometry.blockSizeBytes} bytes each)`;

export const formatCommand = (): Command => {
  const command = declareOptions(new Command('format').description('make a disk image'), NAMES);
  withExamples(command, [
    ['coopfs format --disk disk.img', '256 files of 8 blocks of 128 bytes'],
    ['coopfs format --disk disk.img --files 64 --fill . --force', 'over an older image'],
  ]);
  return runs(command, async () => {
    const options = resolveOptions(command, NAMES, ['disk']);
    const geometry = geometryOf(options);
    await formatImage(options.disk, geometry, { fill: options.fill, force: options.force });
    print(`${options.disk}: ${geometryInWords(geometry)}`);
    return EXIT.ok;
  });
};
