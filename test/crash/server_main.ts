/**
 * Does I/O: `npm run crash:server`: a real file server is killed at every write and every sync of its image,
 * and each of them fails once; after each, everything acknowledged must be there.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { formatImage } from '../../fileserver/disk/image_file.ts';
import { liveThrough, type LifeResult, type Template } from './server_life.ts';
import { NO_FAULT, type Fault } from './faulty_server.ts';
import { wholeNumber } from '../whole_number.ts';

const KINDS = ['kill-write', 'kill-sync', 'fail-sync', 'fail-write'] as const;
/** Bytes that a write takes at most when all of them are short. */
const SHORT_BYTES = 700;

const flags = new Command('crash:server')
  .description('kills a file server at every write and sync of its image, and fails each once')
  .option('--every <n>', 'only every n-th write and sync', wholeNumber(1, 1000), 1)
  .option('--jobs <n>', 'how many at a time', wholeNumber(1, 1000), 2)
  .parse()
  .opts<{ readonly every: number; readonly jobs: number }>();

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const faultsOf = ({ writes, syncs }: LifeResult['counts']): Fault[] => {
  const faults: Fault[] = [];
  for (const kind of KINDS) {
    const count = kind.endsWith('write') ? writes : syncs;
    for (let number = 1; number <= count; number += flags.every) faults.push({ kind, number });
  }
  return faults;
};

const run = async (template: Template): Promise<boolean> => {
  const struck = new Map<string, number>();
  let passed = 0;
  let failed = 0;
  const live = async (fault: Fault): Promise<LifeResult> => {
    const name = `${fault.kind}-${fault.number}`;
    const result = await liveThrough(template, name, fault);
    if (result.problems.length === 0) passed++;
    else failed++;
    for (const problem of result.problems) print(`${name}: ${problem}`);
    if (result.struck) struck.set(fault.kind, (struck.get(fault.kind) ?? 0) + 1);
    return result;
  };
  const { counts, acknowledged } = await live(NO_FAULT);
  print(`${counts.writes} writes and ${counts.syncs} syncs, ${acknowledged} writes acknowledged`);
  await live({ kind: 'short-writes', number: SHORT_BYTES });
  const faults = faultsOf(counts);
  const worker = async (): Promise<void> => {
    for (let fault = faults.shift(); fault !== undefined; fault = faults.shift()) await live(fault);
  };
  await Promise.all(Array.from({ length: flags.jobs }, worker));
  print(KINDS.map((kind) => `${kind} struck ${struck.get(kind) ?? 0}`).join(', '));
  print(`${passed} passed, ${failed} failed`);
  return failed === 0 && KINDS.every((kind) => struck.has(kind));
};

const folder = mkdtempSync(join(tmpdir(), 'coopfs-crash-'));
try {
  const keyFile = join(folder, 'cluster.key');
  writeFileSync(keyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  const key = Buffer.from(readFileSync(keyFile, 'utf8').trim(), 'hex');
  const geometry = { files: 16, blockSizeBytes: 128, blocksPerFile: 8 };
  await formatImage(join(folder, 'disk.img'), geometry, { fill: '.', journalBytes: 65_536 });
  process.exitCode = (await run({ folder, key })) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
