/** I/O: checks an image that no server has open, piece by piece; changes nothing. */

import * as fs from 'node:fs/promises';

import { readAll, requireFile } from './image_access.ts';
import { lockImage } from './image_lock.ts';
import { checkVolume, type CheckReport } from './volume_check.ts';

export { FINDINGS_MAX, type CheckReport } from './volume_check.ts';

/**
 * Checks all of an image, as it will be once its journal is replayed.
 * Throws FsError ENOENT if there is no such file, EBUSY if a server has it open.
 */
export const checkImage = async (imagePath: string): Promise<CheckReport> => {
  await requireFile(imagePath);
  const lock = await lockImage(imagePath);
  try {
    const file = await fs.open(imagePath, 'r');
    try {
      const { size } = await file.stat();
      const check = checkVolume(size);
      let step = check.next();
      while (step.done !== true) {
        step = check.next(await readAll(file, step.value.offset, step.value.length));
      }
      return step.value;
    } finally {
      await file.close();
    }
  } finally {
    await lock.release();
  }
};
