/**
 * Does I/O: how many writes a second a cluster of four cachers acknowledges in two memories, as processes on
 * loopback; beside another build of coopfs in turn, pair by pair, so that a machine that drifts is no matter.
 * `npm run bench:writes -- [--against DIST] [--pairs N] [--seconds S]`
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type * as Applib from '../applib/index.ts';
import { percentile } from '../cli/call_summary.ts';

const OWN_DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const NODES = ['n1', 'n2', 'n3', 'n4'];
const WRITERS_A_NODE = 8;
const FILES_A_WRITER = 16;
const BYTES = 100;

const { values: flags } = parseArgs({
  options: {
    against: { type: 'string' },
    pairs: { type: 'string', default: '6' },
    seconds: { type: 'string', default: '4' },
  },
});

const coopfs = (dist: string, ...args: string[]): void => {
  const main = join(dist, 'cli', 'main.js');
  const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`coopfs ${args.join(' ')}: ${stderr}`);
};

/** Writes until the time is over, file after file from its start to its end; answers how many were in two memories. */
const writeUntil = async (
  fs: Applib.CoopFs,
  files: readonly number[],
  endMs: number,
): Promise<number> => {
  const payload = new Uint8Array(BYTES).fill(120);
  let writes = 0;
  for (let turn = 0; performance.now() < endMs; turn++) {
    await using file = await fs.open(files[turn % files.length] ?? 0, 'w');
    for (let left = file.sizeBytes; left >= BYTES && performance.now() < endMs; left -= BYTES) {
      const { copies } = await file.writeDetailed(payload);
      if (copies === 2) writes++;
    }
  }
  return writes;
};

/** Writes a second, of owners that go on writing: each has become owner of its files before. */
const measure = async (dist: string): Promise<number> => {
  const applib = pathToFileURL(join(dist, 'applib', 'index.js')).href;
  const { connect } = (await import(applib)) as typeof Applib;
  const folder = mkdtempSync(join(tmpdir(), 'coopfs-writes-'));
  const size = ['--files', '1024', '--pages', '16384', '--server-pages', '8192'];
  // Long leases: on a busy machine none is to be lost while it is measured.
  const times = ['--lease', '10s', '--margin', '3s'];
  coopfs(dist, 'cluster', 'up', '--dir', folder, ...size, ...times);
  const opened: Applib.CoopFs[] = [];
  try {
    const seconds = Number(flags.seconds);
    const round = async (roundMs: number): Promise<number> => {
      const endMs = performance.now() + roundMs;
      const counts = opened.map((fs, writer) => {
        const first = writer * FILES_A_WRITER;
        const files = Array.from({ length: FILES_A_WRITER }, (_, index) => first + index);
        return writeUntil(fs, files, endMs);
      });
      return (await Promise.all(counts)).reduce((sum, each) => sum + each, 0);
    };
    for (const node of NODES) {
      for (let writer = 0; writer < WRITERS_A_NODE; writer++) {
        opened.push(await connect({ socket: join(folder, 'run', `${node}.sock`) }));
      }
    }
    // Every file gets its owner, and the programs are compiled.
    await round(2000);
    return (await round(seconds * 1000)) / seconds;
  } finally {
    for (const fs of opened) await fs.close();
    coopfs(dist, 'cluster', 'down', '--dir', folder);
    rmSync(folder, { recursive: true, force: true });
  }
};

const median = (values: readonly number[]): number =>
  percentile(
    [...values].sort((a, b) => a - b),
    50,
  ) ?? Number.NaN;

const other = flags.against === undefined ? undefined : resolve(flags.against);
const ours: number[] = [];
const theirs: number[] = [];
for (let pair = 0; pair < Number(flags.pairs); pair++) {
  ours.push(await measure(OWN_DIST));
  if (other !== undefined) theirs.push(await measure(other));
  const beside = other === undefined ? '' : `, ${(theirs.at(-1) ?? 0).toFixed(0)} against it`;
  console.log(`${(ours.at(-1) ?? 0).toFixed(0)} writes/s in two memories${beside}`);
}
console.log(
  `median ${median(ours).toFixed(0)} writes/s; load of the machine ${(loadavg()[0] ?? 0).toFixed(1)}`,
);
if (other !== undefined) {
  const ratios = ours.map((each, index) => each / (theirs[index] ?? Number.NaN));
  const list = ratios.map((ratio) => ratio.toFixed(2)).join(', ');
  console.log(
    `against ${median(theirs).toFixed(0)}; ratios of the pairs ${list}: median ${median(ratios).toFixed(2)}`,
  );
}
