/** Does I/O: a real file server as a process, started again whenever a fault of its image has ended it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkImage } from '../../fileserver/disk/check_image.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const FAULTS = new URL('image_faults.mjs', import.meta.url).href;

/** Short, so that a run of many restarts is: the quiet time after each is a lease and its margin. */
const TIMES = ['--heartbeat', '50ms', '--lease', '200ms', '--margin', '50ms'];

/** What goes wrong, and at which of its writes or syncs. */
export interface Fault {
  readonly kind: 'none' | 'kill-write' | 'kill-sync' | 'fail-sync' | 'fail-write' | 'short-writes';
  readonly number: number;
}

export const NO_FAULT: Fault = { kind: 'none', number: 0 };

const statusOf = (child: ChildProcess): string =>
  child.signalCode ?? `status ${child.exitCode ?? 'none'}`;

/** What a fault must end the server with. */
const endOf = ({ kind }: Fault): string => (kind.startsWith('kill') ? 'SIGKILL' : 'status 1');

export class FaultyServer {
  readonly #folder: string;
  readonly #port: number;
  readonly #fault: Fault;
  #child: ChildProcess | undefined;
  #log = '';
  #stopping = false;
  #ended: Promise<void> = Promise.resolve();
  /** The fault struck and ended the server. */
  struck = false;
  /** What was not as it must be. */
  readonly problems: string[] = [];

  constructor(folder: string, port: number, fault: Fault) {
    this.#folder = folder;
    this.#port = port;
    this.#fault = fault;
  }

  get #counts(): string {
    return join(this.#folder, 'counts.json');
  }

  get disk(): string {
    return join(this.#folder, 'disk.img');
  }

  /** Resolves when it serves, which it does after a restart if the fault struck while it started. */
  async start(): Promise<void> {
    await this.#spawn(this.#fault);
  }

  async #spawn(fault: Fault): Promise<void> {
    const listen = `127.0.0.1:${this.#port}`;
    const key = ['--key-file', join(this.#folder, 'cluster.key')];
    const args = ['server', '--disk', this.disk, '--listen', listen, ...key, ...TIMES];
    const child = spawn(process.execPath, ['--import', FAULTS, MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...process.env,
        COOPFS_TEST_FAULT: `${fault.kind}:${fault.number}`,
        COOPFS_TEST_COUNTS: this.#counts,
      },
    });
    this.#child = child;
    const hear = (text: Buffer): void => {
      this.#log += text.toString();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    const ready = once(child, 'message');
    ready.catch(() => undefined);
    this.#ended = once(child, 'close').then(() => this.#afterEnd(fault, statusOf(child)));
    this.#ended.catch((error: unknown) => this.problems.push(String(error)));
    await Promise.race([ready, this.#ended]);
  }

  /** A server that a fault has ended is checked and started again; one that was stopped has ended well. */
  async #afterEnd(fault: Fault, end: string): Promise<void> {
    const struck = end === endOf(fault) && fault.kind !== 'none' && fault.kind !== 'short-writes';
    if (!struck) {
      const expected = this.#stopping && end === 'status 0';
      if (!expected) this.problems.push(`the server ended with ${end}: ${this.#log.slice(-2000)}`);
      return;
    }
    this.struck = true;
    const said = fault.kind === 'fail-sync' ? /the disk failed in a journal sync: EIO/ : /ENOSPC/;
    if (fault.kind.startsWith('fail') && !said.test(this.#log)) {
      this.problems.push(`the server stopped and did not say why: ${this.#log.slice(-2000)}`);
    }
    const { findings } = await checkImage(this.disk);
    if (findings.length > 0) this.problems.push(`fsck finds ${JSON.stringify(findings)}`);
    await this.#spawn(NO_FAULT);
  }

  /** Stops it in order, however often the fault strikes on the way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (let child = this.#child; child !== undefined; child = this.#child) {
      child.kill('SIGTERM');
      await this.#ended;
      if (child === this.#child) break;
    }
  }

  /** How many writes and syncs the last server made that ended by itself. */
  get counts(): { readonly writes: number; readonly syncs: number } {
    if (!existsSync(this.#counts)) return { writes: 0, syncs: 0 };
    return JSON.parse(readFileSync(this.#counts, 'utf8')) as { writes: number; syncs: number };
  }
}
