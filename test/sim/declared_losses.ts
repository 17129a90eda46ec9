/** Losses that the server declares: what they do to the history, and what must hold of them. */

import type { Server } from '../../fileserver/server_state.ts';
import { compareVersions, type FileNumber } from '../../protocol/ids.ts';
import type { History } from './applications.ts';
import { fail } from './world.ts';

export class DeclaredLosses {
  readonly #history: History;
  readonly #known = new Map<FileNumber, number>();
  /** When two memories were last destroyed together; before that nothing may be lost. */
  possibleSinceMs = Infinity;
  count = 0;

  constructor(history: History) {
    this.#history = history;
  }

  /**
   * Looks for losses that were declared since the last look. To the checker of histories a loss is a
   * write of what the disk had, by nobody, between the crash and now.
   */
  look(server: Server, now: number): void {
    for (const [file, { times }] of server.losses) {
      if ((this.#known.get(file) ?? 0) >= times) continue;
      this.#known.set(file, times);
      const recovery = [...server.running.values()].find(
        (each) => each.kind === 'recover' && each.file === file,
      );
      // One that an earlier life of the server declared is known already, or was not told to anybody.
      if (recovery?.kind === 'recover' && recovery.contents !== undefined) {
        this.#declared(file, recovery.term, recovery.contents.bytes, now);
      }
    }
  }

  #declared(file: FileNumber, term: number, bytes: Uint8Array, now: number): void {
    this.count++;
    if (now < this.possibleSinceMs) fail(`file ${file} was lost, though one node at a time was`);
    const { acknowledged, lostAtMs, operations } = this.#history;
    const lost = acknowledged.get(file);
    if (lost !== undefined && compareVersions({ term, counter: 0 }, lost) <= 0) {
      fail(`file ${file}: the version after a loss is not higher than the one that was lost`);
    }
    acknowledged.delete(file);
    lostAtMs.set(file, now);
    const place = { process: 'loss', kind: 'write', file, offset: 0 } as const;
    const startNs = this.possibleSinceMs;
    operations.push({ ...place, bytes: bytes.slice(), startNs, endNs: now });
  }
}
