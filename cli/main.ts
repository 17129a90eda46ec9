#!/usr/bin/env node
/** Does I/O: the coopfs command. */

import { CommanderError } from 'commander';
import { EXIT } from './exit_status.ts';
import { createProgram } from './program.ts';

// Whoever read our lines wants no more of them ("| head"): that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await createProgram().parseAsync();
} catch (error) {
  // Commander has told what is wrong. Help and version that were asked for end with status 0.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}
