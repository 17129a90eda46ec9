/** I/O: whether a tool is installed. */

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Whether there is such a program in the PATH, or in one of the folders `elsewhere`. */
export const isInstalled = (tool: string, elsewhere: readonly string[] = []): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), ...elsewhere].some((folder) =>
    existsSync(join(folder, tool)),
  );
