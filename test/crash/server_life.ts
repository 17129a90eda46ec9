/**
 * Does I/O: one life of a small cluster whose server has one fault: two caching nodes in this process write
 * through, write to two memories, take files over from one another and write back, the server is stopped in
 * order; then the image must hold all that was acknowledged.
 */

import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { connect, type CoopFs } from '../../applib/index.ts';
import { startCacher, type CacherDaemon } from '../../cacher/daemon.ts';
import { freePorts } from '../../cli/free_ports.ts';
import { checkImage } from '../../fileserver/disk/check_image.ts';
import { DiskCore } from '../../fileserver/disk/disk_core.ts';
import { ImageFile } from '../../fileserver/disk/image_file.ts';
import type { FileNumber, NodeId } from '../../protocol/ids.ts';
import { FaultyServer, type Fault } from './faulty_server.ts';

const HOST = '127.0.0.1';
const SERVER_WAIT_MS = 15_000;
const FILES = 6;

export interface LifeResult {
  readonly struck: boolean;
  readonly problems: readonly string[];
  readonly counts: { readonly writes: number; readonly syncs: number };
  readonly acknowledged: number;
}

export interface Template {
  readonly folder: string;
  readonly key: Uint8Array;
}

class Life {
  readonly #folder: string;
  readonly #key: Uint8Array;
  readonly #server: FaultyServer;
  readonly #port: number;
  /** What each file may hold: the last acknowledged contents, and those of later writes that failed. */
  readonly allowed = new Map<number, string[]>();
  acknowledged = 0;

  constructor(folder: string, key: Uint8Array, port: number, server: FaultyServer) {
    this.#folder = folder;
    this.#key = key;
    this.#port = port;
    this.#server = server;
  }

  async #node(name: string): Promise<{ cacher: CacherDaemon; fs: CoopFs }> {
    const socket = join(this.#folder, `${name}.sock`);
    const cacher = await startCacher({
      node: name as NodeId,
      server: { host: HOST, port: this.#port },
      listen: { host: HOST, port: 0 },
      socket,
      pages: 64,
      writebackIntervalMs: 30_000,
      security: { keys: [this.#key] },
      serverWaitMs: SERVER_WAIT_MS,
      log: pino({ level: 'silent' }),
    });
    return { cacher, fs: await connect({ socket }) };
  }

  async #write(fs: CoopFs, file: number, text: string): Promise<void> {
    try {
      await using open = await fs.open(file, 'w');
      await open.write(text);
      this.acknowledged++;
      this.allowed.set(file, [text]);
    } catch {
      this.allowed.set(file, [...(this.allowed.get(file) ?? ['....']), text]);
    }
  }

  async run(): Promise<void> {
    await this.#server.start();
    const first = await this.#node('n1');
    // With one node alone, writes go to the disk.
    await Promise.all([0, 1, 2].map((file) => this.#write(first.fs, file, `a${file}aa`)));
    const second = await this.#node('n2');
    await Promise.all([2, 3, 4].map((file) => this.#write(first.fs, file, `b${file}bb`)));
    await this.#write(second.fs, 3, 'c3cc');
    await this.#write(first.fs, 3, 'd3dd');
    for (const { cacher, fs } of [first, second]) {
      await fs.close();
      cacher.stop();
      const error = await cacher.stopped;
      if (error !== undefined) this.#server.problems.push(`a node stopped with ${error.message}`);
    }
    await this.#server.stop();
  }
}

/** The first bytes of every file, and what is wrong otherwise. */
const readImage = async (disk: string): Promise<string[]> => {
  const image = await ImageFile.open(disk);
  const core = new DiskCore();
  const texts: string[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        for (let event = core.pollEvent(); event; event = core.pollEvent()) {
          if (event.type === 'opened') {
            for (let file = 0; file < FILES; file++) core.readFile(file, file as FileNumber);
          } else if (event.type === 'file') {
            texts[event.file] = Buffer.from(event.bytes.subarray(0, 4)).toString();
            if (event.file === FILES - 1) core.close();
          } else if (event.type === 'closed') resolve();
          else reject(new Error(JSON.stringify(event)));
        }
        image.pump(core, look);
      };
      core.open();
      image.pump(core, look);
    });
  } finally {
    await image.close();
  }
  return texts;
};

/** Runs one life in a folder of its own, which is removed. */
export const liveThrough = async (
  template: Template,
  name: string,
  fault: Fault,
): Promise<LifeResult> => {
  const folder = join(template.folder, name);
  mkdirSync(folder);
  for (const file of ['disk.img', 'cluster.key']) {
    copyFileSync(join(template.folder, file), join(folder, file));
  }
  const [port = 0] = await freePorts(HOST, 1);
  const server = new FaultyServer(folder, port, fault);
  const life = new Life(folder, template.key, port, server);
  const problems: string[] = [];
  try {
    await life.run();
    const report = await checkImage(server.disk);
    if (report.findings.length > 0) problems.push(`fsck: ${JSON.stringify(report.findings)}`);
    const texts = await readImage(server.disk);
    texts.forEach((text, file) => {
      const allowed = life.allowed.get(file) ?? ['....'];
      if (!allowed.includes(text)) {
        problems.push(`file ${file} holds ${text}, must hold ${allowed.join(' or ')}`);
      }
    });
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const { struck, counts } = server;
  const { acknowledged } = life;
  rmSync(folder, { recursive: true });
  return { struck, counts, acknowledged, problems: [...server.problems, ...problems] };
};
