/** I/O: qlog traces in a folder, one file a connection. */

import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { RudpError } from './errors.ts';
import { MAX_QLOG_FILE_BYTES, MAX_QLOG_WAITING_BYTES } from './limits.ts';
import { makeFolder } from './make_folder.ts';
import type { Observe } from './observer.ts';
import { groupIdOf, QlogTrace, vantagePointOf } from './qlog_trace.ts';

export interface QlogOptions {
  /** Told once, when the output ends because of an error; default: a warning of the process. */
  readonly onError?: ((error: Error) => void) | undefined;
  /** Replaces `MAX_QLOG_WAITING_BYTES` in tests. */
  readonly maxWaitingBytes?: number;
  /** Replaces `MAX_QLOG_FILE_BYTES` in tests. */
  readonly maxFileBytes?: number;
}

const FLUSH_MS = 250;
/** So much is written without waiting for the time. */
const FLUSH_BYTES = 1024 * 1024;

interface Trace {
  readonly path: string;
  waiting: string[];
  /** Bytes in the file and in `waiting`. */
  bytes: number;
}

const warn = (error: Error): void => {
  process.emitWarning(error.message, 'RudpQlogWarning');
};

/**
 * Records wait in memory and are written a few times a second. What finds no room there is left out,
 * and the file says so; a disk that fails ends the output and nothing else.
 */
export class QlogFiles {
  readonly #dir: string;
  readonly #onError: (error: Error) => void;
  readonly #maxWaitingBytes: number;
  readonly #maxFileBytes: number;
  /** Traces with records that wait. */
  readonly #waiting = new Set<Trace>();
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;

  /** Makes the folder if there is none. @throws RudpError 'invalid' if that fails. */
  constructor(dir: string, options: QlogOptions = {}) {
    this.#dir = dir;
    this.#onError = options.onError ?? warn;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? MAX_QLOG_WAITING_BYTES;
    this.#maxFileBytes = options.maxFileBytes ?? MAX_QLOG_FILE_BYTES;
    try {
      makeFolder(dir);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new RudpError('invalid', `the folder of qlog files cannot be made: ${why}`);
    }
  }

  readonly observe: Observe = (about, now) => {
    const name = `${groupIdOf(about)}_${vantagePointOf(about)}.sqlog`;
    const trace: Trace = { path: join(this.#dir, name), waiting: [], bytes: 0 };
    const take = (record: string): boolean => this.#take(trace, record);
    return new QlogTrace(about, now, performance.timeOrigin, take);
  };

  /** False if there is no room for the record. */
  #take(trace: Trace, record: string): boolean {
    if (this.#failed || trace.bytes + record.length > this.#maxFileBytes) return false;
    if (this.#waitingBytes + record.length > this.#maxWaitingBytes) return false;
    trace.waiting.push(record);
    trace.bytes += record.length;
    this.#waitingBytes += record.length;
    this.#waiting.add(trace);
    if (this.#waitingBytes >= FLUSH_BYTES) void this.flush();
    else this.#timer ??= setTimeout(this.#onTimer, FLUSH_MS).unref();
    return true;
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    void this.flush();
  };

  /** Writes what waits; resolves when it is written, or when the output has ended. Never rejects. */
  async flush(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (const trace of this.#waiting) {
      this.#waiting.delete(trace);
      const text = trace.waiting.join('');
      trace.waiting = [];
      try {
        await appendFile(trace.path, text);
      } catch (error) {
        this.#fail(error);
      }
      this.#waitingBytes -= text.length;
    }
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#waiting.clear();
    const why = error instanceof Error ? error.message : String(error);
    this.#onError(new Error(`no more qlog files are written: ${why}`));
  }

  /** Writes what still waits. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.size > 0 || this.#writing !== undefined) await this.flush();
  }
}
