/** Does I/O: the Docker engine of this machine, and what must not be left behind in it. */

import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The repository: what is built into the image, and where its compose files are. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const OUTPUT_LIMIT_BYTES = 16 * 2 ** 20;

/** What a command prints. Rejects, with what it said, if it does not end with status 0. */
export const output = async (
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> => {
  const [program = '', ...args] = command;
  const settings = { env: { ...process.env, ...env }, maxBuffer: OUTPUT_LIMIT_BYTES };
  const { stdout } = await promisify(execFile)(program, args, settings);
  return stdout.trim();
};

export const docker = (...args: readonly string[]): Promise<string> => output(['docker', ...args]);

const KINDS = {
  containers: ['ps', '--all', '--quiet'],
  networks: ['network', 'ls', '--quiet'],
  volumes: ['volume', 'ls', '--quiet'],
} as const;

/** Everything in the engine that carries the label, by kind. */
export const leftovers = async (label: string): Promise<string[]> => {
  const found = await Promise.all(
    Object.entries(KINDS).map(async ([kind, list]) => {
      const ids = await docker(...list, '--filter', `label=${label}`);
      return ids === '' ? [] : ids.split('\n').map((id) => `${kind} ${id}`);
    }),
  );
  return found.flat();
};

const REMOVE_LABELLED = `
docker ps --all --quiet --filter "label=$0" | xargs -r docker rm --force --volumes
docker network ls --quiet --filter "label=$0" | xargs -r docker network rm
docker volume ls --quiet --filter "label=$0" | xargs -r docker volume rm --force
`;

/** Removes everything that carries the label. Whoever stops the engine after the tests must not be faster. */
export const removeLabelled = async (label: string): Promise<void> => {
  await output(['sh', '-c', REMOVE_LABELLED, label]);
};

/**
 * Removes everything that carries the label as soon as this process has ended, however it ends: what
 * watches it is at the other end of a pipe. `first` are shell commands to begin with.
 */
export const removeAtTheEnd = (label: string, first = ''): void => {
  const script = `cat >/dev/null\n${first}\n${REMOVE_LABELLED}`;
  const watcher = spawn('sh', ['-c', script, label], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.unref();
  // A pipe that nothing is written to does not keep the process from ending.
  (watcher.stdin as unknown as { unref(): void }).unref();
};
