/** Does I/O: a kernel that has netem, as a process: User-Mode Linux with the host's files, which it can only read. */

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isInstalled } from '../../../netem/installed.ts';

const KERNEL = 'linux.uml';
const MODULES = '/usr/lib/uml/modules';
const TOOLS = [KERNEL, 'gcc', 'ip', 'tc', 'modprobe', 'nsenter'];
/** Where a user's PATH need not lead, but tools of the administrator are. */
const ADMINISTRATION = ['/usr/sbin', '/sbin'];
/** Compiled by tsconfig.uml.json: a kernel that is this slow must not compile. */
const PROGRAMS = new URL('../../../dist/test/netem/uml/', import.meta.url);
const INIT = fileURLToPath(new URL('init.sh', import.meta.url));
const PROBE = fileURLToPath(new URL('probe.c', import.meta.url));
/** Several times what a run takes: whoever takes longer hangs. */
const LIMIT_MS = 540_000;
const TAIL_LINES = 25;
/** What init.sh says of a program that has ended well. */
const GOOD_END = 'ended: 0';

/** Why there can be no User-Mode Linux here; undefined if there can. */
export const umlUnavailable = (): string | undefined => {
  const missing = TOOLS.filter((tool) => !isInstalled(tool, ADMINISTRATION));
  if (missing.length === 0) return undefined;
  return `it needs ${missing.join(', ')}: on Debian, "apt-get install user-mode-linux kmod iproute2 gcc"`;
};

/** What a program inside has told, a record a line. */
export type Records = readonly Readonly<Record<string, unknown>>[];

const kernelArguments = (program: string, folder: string): string[] => [
  'mem=2G',
  ...['root=none', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${INIT}`],
  ...['con=null', 'con0=fd:0,fd:1', 'quiet'],
  // What the kernel does not know becomes the environment of its first process.
  ...[`UML_MODULES=${MODULES}`, `UML_NODE=${process.execPath}`],
  ...[`UML_PROGRAM=${fileURLToPath(new URL(program, PROGRAMS))}`, `UML_FOLDER=${folder}`],
];

/** Boots, runs to the end, and answers all lines of the console. @throws Error with its last lines if it hangs. */
const boot = async (program: string, folder: string): Promise<string[]> => {
  // A group of its own: every process inside is one outside, and all have to end with it.
  const child = spawn(KERNEL, kernelArguments(program, folder), {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line.trimEnd()));
  }
  const end = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  const timer = setTimeout(() => {
    lines.push(`it has not ended after ${LIMIT_MS / 1000} s, and is killed`);
    end();
  }, LIMIT_MS);
  process.once('exit', end);
  await new Promise((resolve, reject) => {
    child.once('close', resolve).once('error', reject);
  });
  process.off('exit', end);
  clearTimeout(timer);
  if (lines.includes(GOOD_END)) return lines;
  throw new Error(`${program} has failed:\n${lines.slice(-TAIL_LINES).join('\n')}`);
};

/**
 * Runs a program of this folder inside, with orders and files that it finds in a folder; nothing is left of it.
 * @throws Error with what its console said last if it fails.
 */
export const runInside = async (
  program: string,
  orders: object,
  prepare: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<Records> => {
  const folder = mkdtempSync(join(tmpdir(), 'coopfs-uml-'));
  try {
    execFileSync('gcc', ['-O2', '-o', join(folder, 'probe'), PROBE]);
    writeFileSync(join(folder, 'orders.json'), JSON.stringify(orders));
    await prepare(folder);
    const lines = await boot(program, folder);
    return lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Records[number]);
  } finally {
    rmSync(folder, { recursive: true });
  }
};
