/** Does I/O: applications that run request sets against a cluster until they are stopped, and what came of it. */

import { setTimeout as pause } from 'node:timers/promises';
import type { CoopFs } from '../applib/index.ts';
import { percentile } from './call_summary.ts';
import { recordAsText, type CommandRecord } from './command_record.ts';
import { filesOf } from './numbered_files.ts';
import { parseRequestSet } from './request_set.ts';
import { runSet, type Surroundings } from './set_runner.ts';

/** Every written text has this length, and so every read finds one of them whole. */
export const TEXT_BYTES = 16;
/** How long an application whose node is gone waits before it tries again. */
const AWAY_PAUSE_MS = 50;
const NS_PER_MS = 1e6;

/** The request set of an application for one of its turns. */
export type Script = (application: string, turn: number) => string;

/** A text that no other turn, application or load of another number writes. */
const textOf = (application: string, load: number, turn: number): string =>
  `${application}.${load}.${turn}`.padEnd(TEXT_BYTES, '.');

/** All applications read and overwrite the beginnings of the same files. */
export const overwriting =
  (files: readonly number[], load: number): Script =>
  (application, turn) => {
    const file = files[(turn * 7 + application.length + load) % files.length] ?? 0;
    const text = textOf(application, load, turn);
    const call = turn % 3 === 0 ? `write ${file} ${text}` : `read ${file} ${TEXT_BYTES}`;
    return `open ${file} 1\n${call}\nclose ${file}`;
  };

/** Each of `count` applications writes text after text to files of its own: nobody overwrites them. */
export const appending =
  (files: readonly number[], load: number, count: number, writes: number): Script =>
  (application, turn) => {
    const place = Number(application.replace(/\D/g, '')) % count;
    const file = files[(turn * count + place) % files.length] ?? 0;
    const texts = Array.from({ length: writes }, (_, index) =>
      textOf(application, load, turn * writes + index),
    );
    const calls = texts.map((text) => `write ${file} ${text}`);
    return [`open ${file} 1`, ...calls, `close ${file}`].join('\n');
  };

type Files = Surroundings['files'];

/** Runs one request set; true if every command of it did what it should. */
export const runText = async (
  name: string,
  files: Files,
  text: string,
  emit: (record: CommandRecord) => void,
): Promise<boolean> => {
  const set = parseRequestSet(text, 'load');
  if (!set.ok) throw new Error(set.errors.join('\n'));
  const surroundings = {
    files,
    nowNs: () => process.hrtime.bigint(),
    pause: (ms: number) => pause(ms),
    meet: () => Promise.resolve(true),
  };
  let went = true;
  await runSet(name, set.commands, surroundings, (record) => {
    emit(record);
    went &&= record.ok;
  });
  return went;
};

/** Reads of the beginnings of files, as part of a history; rejects if one of them fails. */
export const readAll = async (
  name: string,
  fs: CoopFs,
  files: Iterable<number>,
  bytes: number,
): Promise<CommandRecord[]> => {
  const records: CommandRecord[] = [];
  const calls = [...files].map((file) => `open ${file} 0\nread ${file} ${bytes}\nclose ${file}`);
  await runText(name, filesOf(fs), calls.join('\n'), (record) => records.push(record));
  const failed = records.find(({ ok }) => !ok);
  if (failed !== undefined) throw new Error(`${name}: ${recordAsText(failed)}`);
  return records;
};

export class Load {
  readonly #script: Script;
  readonly #pauseMs: number;
  readonly #records: CommandRecord[] = [];
  readonly #loops: Promise<void>[] = [];
  readonly #writing = new Map<string, number>();
  #stopping = false;

  /** Each of the applications, by name, runs its sets one after the other with a pause between them. */
  constructor(applications: ReadonlyMap<string, CoopFs>, script: Script, pauseMs: number) {
    this.#script = script;
    this.#pauseMs = pauseMs;
    for (const [name, fs] of applications) this.#loops.push(this.#loop(name, fs));
  }

  /** The applications that wait for a write at this moment. */
  get writing(): readonly string[] {
    return [...this.#writing].filter(([, count]) => count > 0).map(([name]) => name);
  }

  /** Lets every application finish what it has begun; resolves with all that they did. */
  async stop(): Promise<readonly CommandRecord[]> {
    this.#stopping = true;
    await Promise.all(this.#loops);
    return this.#records;
  }

  async #loop(name: string, fs: CoopFs): Promise<void> {
    for (let turn = 0; !this.#stopping; turn++) {
      const files = this.#files(name, fs);
      const went = await runText(name, files, this.#script(name, turn), (record) =>
        this.#records.push(record),
      );
      await pause(went ? this.#pauseMs : AWAY_PAUSE_MS);
    }
  }

  /** Counts the writes that are under way. */
  #files(name: string, fs: CoopFs): Files {
    const files = filesOf(fs);
    const write: Files['write'] = async (file, bytes) => {
      this.#writing.set(name, (this.#writing.get(name) ?? 0) + 1);
      try {
        return await files.write(file, bytes);
      } finally {
        this.#writing.set(name, (this.#writing.get(name) ?? 0) - 1);
      }
    };
    return { ...files, write };
  }
}

/** The longest that an application of those had to wait for one call that ended after this moment, in ms. */
export const longestWait = (
  records: readonly CommandRecord[],
  sinceNs: bigint,
  counts: (application: string) => boolean,
): number =>
  Math.max(
    0,
    ...records
      .filter(({ node, endNs }) => counts(node) && endNs > sinceNs)
      .map(({ startNs, endNs }) => Number(endNs - (startNs > sinceNs ? startNs : sinceNs))),
  ) / NS_PER_MS;

/** Median and 99th percentile of pauses, for people. */
export const pausesInWords = (pausesMs: readonly number[]): string => {
  const ascending = [...pausesMs].sort((a, b) => a - b);
  const [p50, p99] = [50, 99].map((percent) => percentile(ascending, percent)?.toFixed(0) ?? '–');
  return `p50 ${p50 ?? '–'} ms, p99 ${p99 ?? '–'} ms`;
};
