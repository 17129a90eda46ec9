/** Does I/O: the coopfs command as a process, run from its source. */

import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Settings {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** The environment of the tests without anything that would speak for a flag. */
const cleanEnvironment = (): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COOPFS_')));

/** Starts the command; the caller ends it. */
export const startCoopfs = (args: readonly string[], { env = {} }: Settings = {}): ChildProcess =>
  spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
    env: { ...cleanEnvironment(), ...env },
    stdio: 'pipe',
  });

/** What comes of a command that was started. */
export const endOf = (child: ChildProcess): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
    child.once('error', reject);
    child.once('close', (status) => {
      resolve({ status, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() });
    });
  });

/** Runs the command to its end. */
export const coopfs = async (args: readonly string[], settings: Settings = {}): Promise<Ended> => {
  const child = startCoopfs(args, settings);
  child.stdin?.end(settings.stdin ?? '');
  return endOf(child);
};
