/**
 * Does I/O: what a read costs by where it was served from, and a write by how it is kept, in a cluster of
 * four cachers as processes on loopback; beside a plain TCP echo and a synced write to the same disk.
 * `npx tsx bench/served_from.ts [--json]`
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, open as openFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { connect, type CoopFile, type CoopFs, type Source } from '../applib/index.ts';
import { clusterPaths, readClusterConfig, serverAddress } from '../cli/cluster_config.ts';

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
/** How long one row is measured; all of them together stay below 30 s. */
const ROW_MS = 1000;
const MAX_SAMPLES = 2000;
const BYTES = 100;
const FILES = 4096;
/** Enough that no row evicts what another needs, but for the disk row, whose files nobody holds. */
const PAGES = 65_536;
const SERVER_PAGES = 8192;

interface Row {
  readonly name: string;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly opsPerSecond: number;
  readonly samples: number;
}

const rank = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;

/** Repeats `operation`, which answers how long it took in ms (undefined: not what was to be measured). */
const measure = async (
  name: string,
  operation: (round: number) => Promise<number | undefined>,
  maxSamples = MAX_SAMPLES,
): Promise<Row> => {
  const times: number[] = [];
  const end = performance.now() + ROW_MS;
  for (let round = 0; performance.now() < end && round < maxSamples; round++) {
    const took = await operation(round);
    if (took !== undefined) times.push(took);
  }
  times.sort((a, b) => a - b);
  const totalMs = times.reduce((sum, each) => sum + each, 0);
  return {
    name,
    p50Us: 1000 * rank(times, 0.5),
    p99Us: 1000 * rank(times, 0.99),
    opsPerSecond: (1000 * times.length) / totalMs,
    samples: times.length,
  };
};

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

const coopfs = (...args: string[]): void => {
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', MAIN, ...args], {
    encoding: 'utf8',
    env: { ...process.env, COOPFS_SERVER_PAGES: String(SERVER_PAGES) },
  });
  if (status !== 0) throw new Error(`coopfs ${args.join(' ')}: ${stderr}`);
};

/** One read from the start of a file; its time, if it was served from where it should. */
const readFrom = async (
  fs: CoopFs,
  number: number,
  source: Source,
): Promise<number | undefined> => {
  await using file = await fs.open(number, 'r');
  const start = performance.now();
  const answer = await file.readDetailed(BYTES);
  const took = performance.now() - start;
  return answer.source === source ? took : undefined;
};

const payload = new Uint8Array(BYTES).fill(120);

/** One write at the start of a file; its time, if it was kept in as many memories as it should. */
const writeTo = async (fs: CoopFs, number: number, copies: number): Promise<number | undefined> => {
  await using file = await fs.open(number, 'w');
  const start = performance.now();
  const answer = await file.writeDetailed(payload);
  const took = performance.now() - start;
  return answer.copies === copies ? took : undefined;
};

/** Writes again and again to one file that this node owns: one open for as many as fit. */
const rewrite = (fs: CoopFs, number: number): (() => Promise<number | undefined>) => {
  let file: CoopFile | undefined;
  let left = 0;
  return async () => {
    if (file === undefined || left < BYTES) {
      await file?.close();
      file = await fs.open(number, 'w');
      left = file.sizeBytes;
    }
    left -= BYTES;
    const current = file;
    return timed(() => current.write(payload));
  };
};

const echoRow = async (): Promise<Row> => {
  const server = createServer((socket) => socket.setNoDelay().pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = createConnection((server.address() as AddressInfo).port, '127.0.0.1');
  socket.setNoDelay();
  await once(socket, 'connect');
  const row = await measure('TCP echo (node:net)', () =>
    timed(async () => {
      socket.write(payload);
      for (let got = 0; got < BYTES;) got += ((await once(socket, 'data')) as [Buffer])[0].length;
    }),
  );
  socket.destroy();
  server.close();
  return row;
};

const diskRow = async (folder: string): Promise<Row> => {
  const file = await openFile(join(await mkdtemp(join(folder, 'raw-')), 'raw'), 'w');
  const block = new Uint8Array(4096);
  await file.write(new Uint8Array(1 << 20));
  await file.sync();
  const row = await measure('disk write + fdatasync', (round) =>
    timed(async () => {
      await file.write(block, 0, block.length, (round % 256) * block.length);
      await file.datasync();
    }),
  );
  await file.close();
  return row;
};

/** The rows of reads. Every file is read once by each node, so that the source is known. */
const readRows = async (nodes: readonly CoopFs[], direct: CoopFs): Promise<Row[]> => {
  const [first, second, third] = nodes as [CoopFs, CoopFs, CoopFs];
  const rows: Row[] = [];
  rows.push(await measure('read, disk', (round) => readFrom(first, round, 'disk'), 1000));
  const held = rows[0]?.samples ?? 0;
  const peer = (round: number): Promise<number | undefined> => readFrom(second, round, 'peer');
  rows.push(await measure('read, peer memory', peer, held));
  const local = (round: number): Promise<number | undefined> =>
    readFrom(first, round % held, 'local');
  rows.push(await measure('read, local memory', local));
  // A direct write leaves the file in the server's memory, and nowhere else.
  const base = FILES / 2;
  const written = await measure('write, direct (disk)', (round) =>
    writeTo(direct, base + (round % 900), 0),
  );
  const inMemory = Math.min(900, written.samples);
  const server = (round: number): Promise<number | undefined> =>
    readFrom(third, base + round, 'server');
  rows.push(await measure('read, server memory', server, inMemory), written);
  rows.push(
    await measure('read, direct (server)', (round) =>
      readFrom(direct, base - 1 - (round % 8), round < 8 ? 'disk' : 'server'),
    ),
  );
  return rows;
};

const writeRows = async (nodes: readonly CoopFs[]): Promise<Row[]> => {
  const [first, second] = nodes as [CoopFs, CoopFs];
  const base = 3000;
  const rows = [
    await measure('write, first of a term', (round) => writeTo(first, base + round, 2), 900),
    await measure('write, by the owner', rewrite(first, base)),
    await measure('write, owner changes each time', (round) =>
      writeTo(round % 2 === 0 ? second : first, base + 901, 2),
    ),
  ];
  return rows;
};

/** A node alone has nobody to keep a second copy: each write goes through to the disk. */
const aloneRow = async (folder: string): Promise<Row> => {
  const dir = join(folder, 'alone');
  coopfs('cluster', 'up', '--dir', dir, '--cachers', '1');
  try {
    const fs = await connect({ socket: join(dir, 'run', 'n1.sock') });
    const row = await measure('write, through (no second node)', (round) =>
      writeTo(fs, round % 200, 0),
    );
    await fs.close();
    return row;
  } finally {
    coopfs('cluster', 'down', '--dir', dir);
  }
};

const measureAll = async (folder: string): Promise<Row[]> => {
  const dir = join(folder, 'c');
  const size = ['--files', String(FILES), '--pages', String(PAGES)];
  coopfs('cluster', 'up', '--dir', dir, '--cachers', '4', ...size);
  const nodes: CoopFs[] = [];
  try {
    const config = readClusterConfig(clusterPaths(dir));
    if (config === undefined) throw new Error('the cluster has no configuration');
    for (const { name } of config.nodes) {
      nodes.push(await connect({ socket: join(dir, 'run', `${name}.sock`) }));
    }
    const direct = await connect({
      server: serverAddress(config),
      keyFile: join(dir, 'cluster.key'),
    });
    nodes.push(direct);
    const plain = [await echoRow(), await diskRow(folder)];
    return [...plain, ...(await readRows(nodes, direct)), ...(await writeRows(nodes))];
  } finally {
    for (const fs of nodes) await fs.close();
    coopfs('cluster', 'down', '--dir', dir);
  }
};

const print = (rows: readonly Row[]): void => {
  const echo = rows[0]?.p50Us ?? Number.NaN;
  const disk = rows[1]?.p50Us ?? Number.NaN;
  const cells = (row: readonly string[]): string =>
    row.map((cell, index) => (index === 0 ? cell.padEnd(33) : cell.padStart(10))).join('');
  console.log(cells(['', 'p50 us', 'p99 us', 'ops/s', '/ TCP', '/ disk', 'samples']));
  for (const { name, p50Us, p99Us, opsPerSecond, samples } of rows) {
    const ratios = [(p50Us / echo).toFixed(2), (p50Us / disk).toFixed(2)];
    const figures = [p50Us, p99Us, opsPerSecond].map((each) => each.toFixed(0));
    console.log(cells([name, ...figures, ...ratios, String(samples)]));
  }
};

const main = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'coopfs-bench-'));
  try {
    const rows = [...(await measureAll(folder)), await aloneRow(folder)];
    if (!process.argv.includes('--json')) print(rows);
    else {
      const host = { node: process.version, cpus: cpus().length, load: loadavg()[0] };
      console.log(JSON.stringify({ bytes: BYTES, ...host, rows }));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

await main();
