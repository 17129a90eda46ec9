/** Does I/O: applications in the containers of a compose cluster. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { UsageError } from './exit_status.ts';

/** The file server's service, whose container reads files without taking copies of them. */
export const SERVER_SERVICE = 'server';

const OUTPUT_LIMIT_BYTES = 16 * 2 ** 20;

/** What a command prints. Rejects, with what it said, unless it ends well. */
export const output = async ([program = '', ...args]: readonly string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: OUTPUT_LIMIT_BYTES });
  return stdout.trim();
};

export const docker = (...args: readonly string[]): Promise<string> => output(['docker', ...args]);

/** The plugin of Docker, and the program that came before it (from 1.29 on). */
const PROGRAMS = [['docker', 'compose'], ['docker-compose']] as const;

/**
 * The compose program of this machine, with the file that it shall use; without one it looks for it
 * itself: COMPOSE_FILE, then compose.yaml in this folder or one above.
 * @throws UsageError if there is no such program.
 */
export const composeProgram = async (file: string | undefined): Promise<readonly string[]> => {
  for (const program of PROGRAMS) {
    const [name, ...args] = program;
    try {
      await promisify(execFile)(name, [...args, 'version']);
      return file === undefined ? program : [...program, '--file', file];
    } catch {
      continue;
    }
  }
  throw new UsageError('there is neither "docker compose" nor "docker-compose": install one');
};

/**
 * What starts an application in the container of a node: its service, or of a service that is scaled
 * "cacher.2", the second one.
 */
export const applicationIn = (program: readonly string[], node: string): string[] => {
  const [, service = node, index] = /^(.+)\.(\d+)$/.exec(node) ?? [];
  const which = index === undefined ? [] : ['--index', index];
  return [...program, 'exec', '-T', ...which, service, 'coopfs', 'application'];
};
