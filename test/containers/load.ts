/** Does I/O: applications on all nodes that read and write the same files, and what came of it. */

import { setTimeout as pause } from 'node:timers/promises';
import type { CoopFs } from '../../applib/index.ts';
import type { CommandRecord } from '../../cli/command_record.ts';
import { filesOf } from '../../cli/numbered_files.ts';
import { parseRequestSet } from '../../cli/request_set.ts';
import { runSet } from '../../cli/set_runner.ts';

/** Every written text has this length, and so every read finds one of them whole. */
export const TEXT_BYTES = 16;
const PAUSE_MS = 10;
/** How long an application whose node is gone waits before it tries again. */
const AWAY_PAUSE_MS = 50;

export class Load {
  readonly #files: readonly number[];
  readonly #records: CommandRecord[] = [];
  readonly #loops: Promise<void>[] = [];
  #stopping = false;

  /** `first` tells the texts of this load from those of all others: no text is written twice. */
  constructor(files: readonly number[], nodes: ReadonlyMap<string, CoopFs>, first: number) {
    this.#files = files;
    for (const [node, fs] of nodes) this.#loops.push(this.#loop(node, fs, first));
  }

  /** Lets every application finish what it has begun; resolves with all that they did. */
  async stop(): Promise<readonly CommandRecord[]> {
    this.#stopping = true;
    await Promise.all(this.#loops);
    return this.#records;
  }

  async #loop(node: string, fs: CoopFs, first: number): Promise<void> {
    for (let turn = 0; !this.#stopping; turn++) {
      const file = this.#files[(turn * 7 + node.length + first) % this.#files.length] ?? 0;
      const text = `${node}.${first}.${turn}`.padEnd(TEXT_BYTES, '.');
      const call = turn % 3 === 0 ? `write ${file} ${text}` : `read ${file} ${TEXT_BYTES}`;
      const went = await this.#run(node, fs, `open ${file} 1\n${call}\nclose ${file}`);
      await pause(went ? PAUSE_MS : AWAY_PAUSE_MS);
    }
  }

  async #run(node: string, fs: CoopFs, text: string): Promise<boolean> {
    const set = parseRequestSet(text, 'load');
    if (!set.ok) throw new Error(set.errors.join('\n'));
    const surroundings = {
      files: filesOf(fs),
      nowNs: () => process.hrtime.bigint(),
      pause: (ms: number) => pause(ms),
      meet: () => Promise.resolve(true),
    };
    let went = true;
    await runSet(node, set.commands, surroundings, (record) => {
      this.#records.push(record);
      went &&= record.ok;
    });
    return went;
  }
}
