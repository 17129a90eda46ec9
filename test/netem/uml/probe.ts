/** Does I/O: the probe as a process: datagrams between namespaces, sent and counted by a program in C. */

import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Errand } from './errand.ts';

/** Both by their place among the ends. */
interface Direction {
  readonly from: number;
  readonly to: number;
}

export interface Counted extends Direction {
  readonly sent: number;
  readonly arrived: number;
}

export interface Timed extends Direction {
  readonly us: readonly number[];
}

export class Probe {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** @param ends file and address of each namespace. */
  constructor(program: string, ends: readonly (readonly [string, string])[]) {
    this.#child = spawn(program, ends.flat(), { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new TypeError('the probe was started without pipes');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async countLosses({ datagrams, everyUs, waitMs }: Errand): Promise<Counted[]> {
    return (await this.#ask(`loss ${datagrams} ${everyUs} ${waitMs}`)) as Counted[];
  }

  async timeTrips({ trips, tripEveryUs, waitMs }: Errand): Promise<Timed[]> {
    return (await this.#ask(`rtt ${trips} ${tripEveryUs} ${waitMs}`)) as Timed[];
  }

  end(): void {
    this.#child.stdin?.end();
  }

  async #ask(command: string): Promise<unknown> {
    this.#child.stdin?.write(`${command}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the probe has ended');
    return JSON.parse(line.value);
  }
}
