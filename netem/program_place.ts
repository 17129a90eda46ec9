/** I/O: where the programs of other processes are: compiled, or their sources when those are what runs now. */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path of a module by its name without the ending, seen from the module of this URL. */
export const besideModule = (name: string, moduleUrl: string): string =>
  fileURLToPath(new URL(`./${name}${extname(moduleUrl)}`, moduleUrl));
