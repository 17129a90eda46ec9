/**
 * I/O: an IP link between two network namespaces that carries TCP, UDP and all else alike, with delay,
 * loss and rate as wanted. The work is done by `link.c`, compiled when it is needed. Needs Linux, root and gcc.
 */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isInstalled } from '../installed.ts';
import { setCommand, type Direction, type LinkSettings } from './settings.ts';

const run = promisify(execFile);

const SOURCE = fileURLToPath(new URL('./link.c', import.meta.url));
const TOOLS = ['gcc', 'ip', 'nsenter', 'sh'];
const MTU = 1500;
/** The device's own queue, in packets: none may be lost before the link has seen it. */
const DEVICE_QUEUE = 20_000;

/** One end: a network namespace. */
export interface LinkEnd {
  /** Its address on the link; its device is link0, its network 10.77.0.0/24. */
  readonly address: string;
  /** Put before a command and its arguments, runs it there. */
  readonly enter: readonly string[];
}

/** What one direction has done since the last reset. Packets are IP packets, bytes with their headers. */
export interface DirectionStats {
  /** That entered, lost ones included. */
  readonly packets: number;
  readonly bytes: number;
  readonly lost: number;
  /** Lost because `dropNext` said so. */
  readonly toldLost: number;
  readonly queueDropped: number;
  readonly delivered: number;
  readonly deliveredBytes: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly refused: number;
  /** From entering to leaving, of those delivered, waiting for the rate included. */
  readonly meanDelayMs: number;
  /** How far behind the time that was due they left: the link's own error. */
  readonly meanLateMs: number;
}

export interface LinkStats {
  readonly ab: DirectionStats;
  readonly ba: DirectionStats;
}

/** Why there can be no link here; undefined if there can. */
export const linkUnavailable = (): string | undefined => {
  if (process.platform !== 'linux') return `it needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'it needs root, for network namespaces and TUN devices';
  const missing = TOOLS.filter((tool) => !isInstalled(tool));
  if (missing.length > 0) return `it needs ${missing.join(' and ')}, which is not installed`;
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return 'it needs /dev/net/tun';
  }
  return undefined;
};

/** Compiles the link and starts it, without leaving a file: a program that runs needs no name any more. */
const startProcess = async (): Promise<ChildProcess> => {
  const folder = await mkdtemp(join(tmpdir(), 'coopfs-link-'));
  try {
    const program = join(folder, 'link');
    await run('gcc', ['-O2', '-o', program, SOURCE]);
    const file = await open(program);
    const child = spawn(`/proc/${process.pid}/fd/${file.fd}`, {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve).once('error', reject);
    });
    await file.close();
    return child;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

interface Waiter {
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/** Lines come back in the order in which commands were given. */
class Commands {
  readonly #child: ChildProcess;
  readonly #waiting: Waiter[] = [];
  #ended = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    const { stdin, stdout } = child;
    if (stdin === null || stdout === null) {
      throw new TypeError('the link was started without pipes');
    }
    stdin.on('error', () => undefined);
    createInterface({ input: stdout }).on('line', (line) => this.#waiting.shift()?.resolve(line));
    child.once('exit', () => {
      this.#ended = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the link has ended'));
    });
  }

  /** The next line, whatever was asked for it. */
  next(): Promise<string> {
    if (this.#ended) return Promise.reject(new Error('the link has ended'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  async run(command: string): Promise<unknown> {
    const answer = this.next();
    this.#child.stdin?.write(`${command}\n`);
    const parsed = JSON.parse(await answer) as { readonly error?: string };
    if (parsed.error !== undefined) throw new Error(`link: ${command}: ${parsed.error}`);
    return parsed;
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    await exited;
  }
}

/** The congestion controls that this kernel has for TCP. */
export const tcpCongestionControls = (): readonly string[] => {
  try {
    const file = '/proc/sys/net/ipv4/tcp_available_congestion_control';
    return readFileSync(file, 'utf8').trim().split(/\s+/);
  } catch {
    return [];
  }
};

const ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';

/** A namespace may have only what the machine allows to all; the list is as it was when `work` is done. */
const whileAllowed = async (congestion: string, work: () => Promise<void>): Promise<void> => {
  const before = (await readFile(ALLOWED, 'utf8')).trim();
  const extend = !before.split(' ').includes(congestion);
  if (extend) await writeFile(ALLOWED, `${before} ${congestion}`);
  try {
    await work();
  } finally {
    if (extend) await writeFile(ALLOWED, before);
  }
};

const within = async (end: LinkEnd, command: string): Promise<void> => {
  const [program, ...args] = [...end.enter, 'sh', '-ec', command];
  await run(program, args);
};

/**
 * The namespaces have no names and live as long as the link, or a process in them: when this process
 * ends, by whatever it ends, the link ends with it, and nothing is left to be cleaned up.
 */
export class IpLink {
  readonly a: LinkEnd;
  readonly b: LinkEnd;
  readonly #commands: Commands;
  readonly #pid: number;

  /**
   * A link that does nothing to packets yet.
   * @throws Error if there can be none (`linkUnavailable`), or with what a tool has to say.
   */
  static async open(settings: LinkSettings = {}): Promise<IpLink> {
    const reason = linkUnavailable();
    if (reason !== undefined) throw new Error(`no IP link: ${reason}`);
    const commands = new Commands(await startProcess());
    try {
      const ready = JSON.parse(await commands.next()) as { pid: number; a: number; b: number };
      const link = new IpLink(commands, ready);
      await link.#configure();
      await link.set('both', settings);
      return link;
    } catch (error) {
      await commands.end();
      throw error;
    }
  }

  private constructor(commands: Commands, ready: { pid: number; a: number; b: number }) {
    const end = (number: number, descriptor: number): LinkEnd => ({
      address: `10.77.0.${number}`,
      enter: ['nsenter', `--net=/proc/${ready.pid}/fd/${descriptor}`, '--'],
    });
    this.#commands = commands;
    this.#pid = ready.pid;
    this.a = end(1, ready.a);
    this.b = end(2, ready.b);
  }

  async #configure(): Promise<void> {
    for (const end of [this.a, this.b]) {
      // What one TCP connection has learnt of the path must not help the next one; and IPv6 would talk of
      // its own accord, so that the dice would not fall the same way twice.
      await within(
        end,
        `v6=/proc/sys/net/ipv6/conf/link0/disable_ipv6; [ ! -e $v6 ] || echo 1 > $v6
         echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save
         ip link set lo up; ip addr add ${end.address}/24 dev link0
         ip link set link0 mtu ${MTU} txqueuelen ${DEVICE_QUEUE} up`,
      );
    }
  }

  /** @throws RangeError for a setting out of its range. */
  async set(direction: Direction, settings: LinkSettings): Promise<void> {
    await this.#commands.run(setCommand(direction, settings));
  }

  /** Loses exactly the next `count` packets that enter in this direction. */
  async dropNext(direction: Direction, count: number): Promise<void> {
    await this.#commands.run(`drop ${direction} ${count}`);
  }

  async stats(): Promise<LinkStats> {
    return (await this.#commands.run('stats')) as LinkStats;
  }

  async resetStats(): Promise<void> {
    await this.#commands.run('reset');
  }

  /** A second way between the ends, a veth pair, to which nothing is done: its addresses. */
  async addVeth(): Promise<{ readonly a: string; readonly b: string }> {
    // The link's process is in the namespace of b.
    await within(this.a, `ip link add veth0 type veth peer name veth0 netns ${this.#pid}`);
    for (const [end, number] of [
      [this.a, 1],
      [this.b, 2],
    ] as const) {
      await within(end, `ip addr add 10.78.0.${number}/24 dev veth0; ip link set veth0 up`);
    }
    return { a: '10.78.0.1', b: '10.78.0.2' };
  }

  /**
   * The congestion control of TCP in both namespaces.
   * @throws Error if the kernel does not have it.
   */
  async setTcpCongestion(name: string): Promise<void> {
    const file = '/proc/sys/net/ipv4/tcp_congestion_control';
    await whileAllowed(name, async () => {
      for (const end of [this.a, this.b]) await within(end, `echo ${name} > ${file}`);
    });
  }

  /** Ends the link. What still runs in its namespaces keeps them, without a link. */
  async close(): Promise<void> {
    await this.#commands.end();
  }
}
