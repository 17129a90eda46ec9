/** I/O: the engine `tc`: has the kernel's own queues in this network namespace do what is asked for. */

import { execFile, spawn } from 'node:child_process';
import type { Socket } from 'node:dgram';
import { release } from 'node:os';
import { performance } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { z } from 'zod';
import { FsError } from '../protocol/errors.ts';
import type { AgentEngine } from './agent.ts';
import { isInstalled } from './installed.ts';
import { PROBE_PORT, takeProbePort } from './probe_port.ts';
import { Probing } from './probing.ts';
import type { Setting } from './setting.ts';
import type { SettingTable } from './setting_table.ts';
import {
  commandFailure,
  commandText,
  construction,
  devicesIn,
  inTheWay,
  isLacking,
  knowsSeed,
  removal,
  TRIAL_PREFIX,
  type Capabilities,
  type Command,
  type Qdisc,
} from './tc_commands.ts';
import { LOSS_TABLE } from './without_netem.ts';

/** An agent that ends takes its rules away within that, even on a machine under load. */
const PREDECESSOR_MS = 10_000;

const qdiscs = z.array(
  z.object({ kind: z.string(), handle: z.string(), dev: z.string(), root: z.boolean().optional() }),
);

const PACKAGES = { tc: 'iproute2', ip: 'iproute2', nft: 'nftables' } as const;

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

const toolMissing = (tool: Command['tool']): FsError =>
  new FsError(
    'ENOENT',
    `the engine tc needs ${tool}, which is not here: install ${PACKAGES[tool]}`,
  );

/** @throws FsError ENOENT if there is no such tool. */
const run = async (tool: Command['tool'], args: readonly string[], input = ''): Promise<Ran> => {
  const child = spawn(tool, args, { stdio: 'pipe' });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', () => {
      reject(toolMissing(tool));
    });
    child.once('close', resolve);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [status, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { status, out, err };
};

/** How each tool takes commands from its input. */
const BATCH = { tc: ['-batch', '-'], ip: ['-batch', '-'], nft: ['-f', '-'] } as const;

/** Runs commands in their order, as few processes as can be. @throws FsError for the first that fails. */
const runAll = async (commands: readonly Command[]): Promise<void> => {
  for (let rest = commands; rest[0] !== undefined;) {
    const { tool } = rest[0];
    const other = rest.findIndex((each) => each.tool !== tool);
    const batch = other === -1 ? rest : rest.slice(0, other);
    const lines = batch.map(({ words }) => words).join('\n');
    const { status, err } = await run(tool, BATCH[tool], `${lines}\n`);
    if (status !== 0) {
      const [, line] = /^(?:Command failed -|\/dev\/stdin):(\d+)/m.exec(err) ?? [];
      throw commandFailure(batch[Number(line) - 1], err);
    }
    rest = rest.slice(batch.length);
  }
};

/** Tells what tc says; nothing if there can be no such device. It goes however the script ends. */
const TRIAL = `device=${TRIAL_PREFIX}$$
  trap 'ip link del "$device" 2>/dev/null' EXIT
  trap 'exit 1' HUP INT TERM
  ip link add "$device" type ifb 2>/dev/null || exit 0
  tc qdisc add dev "$device" root netem limit 1 2>&1`;

/**
 * Whether the kernel has sch_netem, tried at a device of its own in this network namespace, or the one into which the
 * words of `enter` lead. If it cannot be tried, what is asked for will say why.
 */
export const hasNetem = async (enter: readonly string[] = []): Promise<boolean> => {
  const [program, ...args] = [...enter, 'sh', '-c', TRIAL];
  try {
    await promisify(execFile)(program, args);
    return true;
  } catch (error) {
    return !isLacking((error as { readonly stdout?: string }).stdout ?? '');
  }
};

export class TcEngine implements AgentEngine {
  readonly name = 'tc';
  readonly probing = new Probing();
  readonly #table: SettingTable;
  readonly #socket: Socket;
  #capabilities: Capabilities | undefined;

  /** Clears what others have left. @throws FsError if this namespace is not ours to change. */
  static async start(table: SettingTable): Promise<TcEngine> {
    const engine = new TcEngine(table, await takeProbePort(PROBE_PORT, PREDECESSOR_MS));
    await engine.apply();
    return engine;
  }

  private constructor(table: SettingTable, socket: Socket) {
    this.#table = table;
    this.#socket = socket;
    socket.on('message', (bytes, { address }) => {
      const arrival = this.probing.handle(bytes, performance.now());
      if (typeof arrival === 'object') this.sendProbe(address, arrival.answer);
    });
  }

  /** One tree is taken away and another one is set up: what waits in the old one is lost. */
  async apply(): Promise<void> {
    const present = await this.#present();
    const commands = await this.#construction(present, this.#table.settings());
    try {
      await runAll([...(await this.#removal(present)), ...commands]);
    } catch (error) {
      await runAll(await this.#removal(await this.#present()));
      throw error;
    }
  }

  async isSeeded(): Promise<boolean> {
    return (await this.#capable()).seed;
  }

  async preview(setting: Setting): Promise<string[]> {
    const present = await this.#present();
    const commands = await this.#construction(present, [...this.#table.settings(), setting]);
    const missing = commands.find(({ tool }) => !isInstalled(tool));
    if (missing !== undefined) throw toolMissing(missing.tool);
    return [...(await this.#removal(present)), ...commands].map(commandText);
  }

  sendProbe(peer: string, bytes: Uint8Array): void {
    this.#socket.send(bytes, PROBE_PORT, peer, () => undefined);
  }

  async close(): Promise<void> {
    try {
      await runAll(await this.#removal(await this.#present()));
    } finally {
      // Last: from then on the next agent may change the queues.
      this.#socket.close();
    }
  }

  async #removal(present: readonly Qdisc[]): Promise<Command[]> {
    // Who has netem needs no nftables.
    if ((await this.#capable()).netem) return removal(present);
    const tables = await run('nft', ['list', 'tables']).catch(() => ({ out: '' }));
    return removal(present, tables.out.includes(`table ${LOSS_TABLE}\n`));
  }

  async #present(): Promise<Qdisc[]> {
    const { status, out, err } = await run('tc', ['-json', 'qdisc', 'show']);
    if (status !== 0) throw commandFailure({ tool: 'tc', words: 'qdisc show' }, err);
    return qdiscs.parse(JSON.parse(out));
  }

  async #construction(present: readonly Qdisc[], settings: readonly Setting[]): Promise<Command[]> {
    if (settings.length === 0) return [];
    const commands = construction(devicesIn(present), settings, await this.#capable());
    const foreign = inTheWay(present, commands);
    if (foreign === undefined) return commands;
    const { dev, kind, handle, root } = foreign;
    throw new FsError(
      'EBUSY',
      `${dev} has a qdisc of somebody else, ${kind} ${handle}, which is not replaced: remove it by ` +
        `"tc qdisc del dev ${dev} ${root === true ? 'root' : 'ingress'}"`,
    );
  }

  async #capable(): Promise<Capabilities> {
    if (this.#capabilities === undefined) {
      // Netem's own help, which asks nothing of the kernel.
      const { err } = await run('tc', 'qdisc add dev lo root netem help'.split(' '));
      this.#capabilities = { netem: await hasNetem(), seed: knowsSeed(err, release()) };
    }
    return this.#capabilities;
  }
}
