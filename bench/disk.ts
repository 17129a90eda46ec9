/**
 * Does I/O: the disk alone, on a real file: how many commits share a sync, and how long a server with many
 * files and a full journal takes to open its disk. `npm run bench:disk [-- FOLDER]`
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { DiskCommand } from '../fileserver/disk/command_queue.ts';
import { DiskCore, type DiskEvent } from '../fileserver/disk/disk_core.ts';
import { formatImage, ImageFile, type DiskPort } from '../fileserver/disk/image_file.ts';
import { computeLayout, SUPERBLOCK_BYTES, SUPERBLOCK_COPIES } from '../fileserver/disk/layout.ts';
import { fileSizeBytes, type FileNumber } from '../protocol/ids.ts';

const GEOMETRY = { files: 65_536, blockSizeBytes: 128, blocksPerFile: 8 };
const ROW_MS = 1000;

/** A disk core on an image, whose syncs are counted; superblocks can be held back for ever. */
class Served implements DiskPort {
  readonly core = new DiskCore();
  readonly #image: ImageFile;
  readonly #onEvent: (event: DiskEvent) => void;
  readonly #holdsSuperblocks: boolean;
  #opened = false;
  syncs = 0;

  constructor(image: ImageFile, holdsSuperblocks: boolean, onEvent: (event: DiskEvent) => void) {
    this.#image = image;
    this.#holdsSuperblocks = holdsSuperblocks;
    this.#onEvent = onEvent;
  }

  pollCommand(): DiskCommand | undefined {
    const command = this.core.pollCommand();
    if (command?.do === 'sync') this.syncs++;
    const isSuperblock =
      command?.do === 'write' && command.offset < SUPERBLOCK_COPIES * SUPERBLOCK_BYTES;
    return isSuperblock && this.#opened && this.#holdsSuperblocks ? this.pollCommand() : command;
  }

  handleRead = (token: number, bytes: Uint8Array): void => {
    this.core.handleRead(token, bytes);
  };

  handleWritten = (token: number): void => {
    this.core.handleWritten(token);
  };

  handleSynced = (token: number): void => {
    this.core.handleSynced(token);
  };

  handleFailed = (token: number, error: string): void => {
    this.core.handleFailed(token, error);
  };

  pump(): void {
    this.#image.pump(this, () => {
      for (let event = this.core.pollEvent(); event; event = this.core.pollEvent()) {
        if (event.type === 'opened') this.#opened = true;
        this.#onEvent(event);
      }
    });
  }
}

const open = async (
  path: string,
  holdsSuperblocks: boolean,
  onEvent: (event: DiskEvent, served: Served) => void,
): Promise<{ served: Served; image: ImageFile; replayed: number }> => {
  const image = await ImageFile.open(path);
  return new Promise((resolve, reject) => {
    const served: Served = new Served(image, holdsSuperblocks, (event) => {
      if (event.type === 'opened') resolve({ served, image, replayed: event.replayed });
      else if (event.type === 'refused' || event.type === 'failed') reject(new Error(event.reason));
      else onEvent(event, served);
    });
    served.core.open();
    served.pump();
  });
};

const commit = (served: Served, number: number): void => {
  const file = (number % GEOMETRY.files) as FileNumber;
  const bytes = new Uint8Array(fileSizeBytes(GEOMETRY)).fill(number);
  const version = { term: 1, counter: number + 1 };
  served.core.commit(number, [{ kind: 'contents', file, version, bytes, outcomes: [] }]);
};

/** Commits with so many always under way, for a second. */
const groupCommit = async (path: string, atOnce: number): Promise<string> => {
  let next = 0;
  let done = 0;
  let ended: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (ended = resolve));
  const begun = performance.now();
  const { served, image } = await open(path, false, (event, disk) => {
    if (event.type === 'closed') ended();
    if (event.type !== 'committed') return;
    done++;
    if (performance.now() < begun + ROW_MS) commit(disk, next++);
    else if (done === next) disk.core.close();
    disk.pump();
  });
  served.syncs = 0;
  const from = performance.now();
  while (next < atOnce) commit(served, next++);
  served.pump();
  await end;
  const seconds = (performance.now() - from) / 1000;
  await image.close();
  return `${String(atOnce).padStart(4)} commits at once: ${(done / seconds).toFixed(0)} commits/s, ${(done / served.syncs).toFixed(1)} a sync, ${((1000 * seconds) / served.syncs).toFixed(2)} ms a sync`;
};

/** Fills the journal to its last group, leaves the image as a crash would, and opens it. */
const recovery = async (path: string): Promise<string> => {
  const recordBytes = fileSizeBytes(GEOMETRY) + 400;
  const { journal } = computeLayout(GEOMETRY).regions;
  const wanted = Math.ceil(journal.length / recordBytes) * 2;
  let committed = 0;
  const { served, image } = await open(path, true, (event) => {
    if (event.type === 'committed') committed++;
  });
  for (let number = 0; number < wanted; number++) commit(served, number);
  served.pump();
  // Without a superblock nothing leaves the journal: it fills up, and then nothing is under way.
  for (let before = -1; before !== committed || image.inFlight > 0;) {
    before = committed;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await image.close();
  const begun = performance.now();
  const again = await open(path, false, () => undefined);
  const tookMs = performance.now() - begun;
  await again.image.close();
  return `recovery of ${GEOMETRY.files} files and a journal of ${journal.length} bytes with ${again.replayed} records: ${tookMs.toFixed(0)} ms`;
};

const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'coopfs-bench-disk-'));
try {
  const path = join(folder, 'disk.img');
  await formatImage(path, GEOMETRY);
  for (const atOnce of [1, 8, 64, 512]) {
    process.stdout.write(`${await groupCommit(path, atOnce)}\n`);
  }
  process.stdout.write(`${await recovery(path)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
