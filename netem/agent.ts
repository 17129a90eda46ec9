/** I/O: the agent of a node, at a unix socket: holds settings under their leases, applies them, probes. */

import { createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { FsError, messageOf } from '../protocol/errors.ts';
import { makeWay } from '../protocol/unix_socket_path.ts';
import { requestSchema, type Answer, type Request } from './agent_protocol.ts';
import { LineStream } from './line_stream.ts';
import type { Probing } from './probing.ts';
import type { Setting } from './setting.ts';
import { SETTINGS_LIMIT, type SettingTable } from './setting_table.ts';

/** What makes the settings of a node come true. */
export interface AgentEngine {
  readonly name: 'relay' | 'tc';
  readonly probing: Probing;
  /** Makes what is in the table apply, and nothing else. @throws FsError if it cannot. */
  apply(): Promise<void>;
  /** Whether the same seed brings the same losses again. */
  isSeeded(): Promise<boolean>;
  /** The commands that a setting would bring about, if it is by commands. */
  preview?(setting: Setting): Promise<string[]>;
  sendProbe(peer: string, bytes: Uint8Array): void;
  /** Takes all away that it has applied. */
  close(): Promise<void>;
}

export class NetemAgent {
  readonly #table: SettingTable;
  readonly #engine: AgentEngine;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;
  #applying: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;
  /** Called when nothing is held any more. */
  onIdle: () => void = () => undefined;

  /** @throws FsError EINVAL, EBUSY for a path that cannot be listened at. */
  static async listen(path: string, table: SettingTable, engine: AgentEngine): Promise<NetemAgent> {
    await makeWay(path, `somebody listens at ${path} already`);
    const agent = new NetemAgent(table, engine);
    await new Promise<void>((resolve, reject) => {
      agent.#server.once('error', (error) => {
        reject(new FsError('EINVAL', `cannot listen at the socket ${path}: ${error.message}`));
      });
      // Who may write to the folder may impair the node: no more than its own user.
      const mask = process.umask(0o077);
      agent.#server.listen(path, resolve);
      process.umask(mask);
    });
    return agent;
  }

  private constructor(table: SettingTable, engine: AgentEngine) {
    this.#table = table;
    this.#engine = engine;
    this.#server = createServer((socket) => {
      this.#accept(socket);
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Closes the socket and ends all settings. A second call waits for the same end. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    // First: what is asked for from now on is for the next agent, which would keep it.
    const listened = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    for (const socket of this.#sockets) socket.destroy();
    this.#table.clear('all');
    await this.#applying;
    await this.#engine.close();
    await listened;
  }

  #accept(socket: Socket): void {
    const lines = new LineStream();
    this.#sockets.add(socket);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      try {
        for (const line of lines.push(text)) {
          void this.#answer(line).then((answer) => {
            if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
          });
        }
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#expire();
    });
  }

  /** Requests take different times; each answer has the number of its request. */
  async #answer(line: string): Promise<object> {
    let number: unknown;
    try {
      const raw = JSON.parse(line) as { number?: unknown };
      ({ number } = raw);
      const request = requestSchema.safeParse(raw);
      if (!request.success) {
        const [issue] = request.error.issues;
        throw new Error(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
      }
      return { number, ...(await this.#perform(request.data)) };
    } catch (error) {
      return { number, error: messageOf(error) };
    }
  }

  /** One change after another: each finds done what came before it. */
  #apply(): Promise<void> {
    // Nothing is applied after the end, which takes all away.
    const applied = this.#applying.then(() =>
      this.#closed === undefined ? this.#engine.apply() : undefined,
    );
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  #perform(request: Request): Promise<object> | object {
    const { probing } = this.#engine;
    const now = performance.now();
    switch (request.do) {
      case 'hold':
        return this.#hold(request);
      case 'preview':
        return this.#preview(request);
      case 'clear':
        return this.#clear(request);
      case 'show':
        return this.#show();
      case 'expect':
        if (!probing.expect(request.token, now + request.forMs, now)) {
          throw new Error('too many probes are expected: try again in a few seconds');
        }
        return {};
      case 'arrived':
        return { count: probing.arrived(request.token) } satisfies Answer<'arrived'>;
      case 'probe':
        return this.#probe(request);
    }
  }

  async #hold({ setting, leaseMs }: Extract<Request, { do: 'hold' }>): Promise<Answer<'hold'>> {
    const outcome = this.#table.hold(setting, leaseMs, performance.now());
    if (outcome === 'full') {
      throw new Error(`this node has ${SETTINGS_LIMIT} settings already: clear some`);
    }
    try {
      if (outcome === 'new') await this.#apply();
    } catch (error) {
      // Not cleared: nobody has ended it, and the other nodes of its plan go on.
      this.#table.withdraw(setting.id);
      // What was there before applies again; the lease of what cannot be had is not waited for.
      await this.#apply().catch(() => undefined);
      this.#armTimer();
      throw error;
    }
    this.#armTimer();
    return { outcome };
  }

  async #preview({ setting }: Extract<Request, { do: 'preview' }>): Promise<Answer<'preview'>> {
    return { commands: (await this.#engine.preview?.(setting)) ?? [] };
  }

  async #show(): Promise<Answer<'show'>> {
    const seeded = await this.#engine.isSeeded();
    const now = performance.now();
    this.#table.expire(now);
    const settings = this.#table
      .settings()
      .map((each) => ({ ...each, leftMs: this.#table.leftMs(each.id, now) }));
    return { engine: this.#engine.name, seeded, settings };
  }

  async #clear({ what }: Extract<Request, { do: 'clear' }>): Promise<Answer<'clear'>> {
    const gone = this.#table.clear(what);
    if (gone.length > 0 || what === 'all') await this.#apply();
    this.#armTimer();
    return { cleared: gone.map(({ label }) => label) };
  }

  /** Sends the probes of a run, one every so often, and waits for the last answers. */
  async #probe(request: Extract<Request, { do: 'probe' }>): Promise<Answer<'probe'>> {
    const { token, peer, count, everyMs, waitMs } = request;
    const { probing } = this.#engine;
    if (!probing.begin(token)) throw new Error('too many probes are under way: try again');
    const start = performance.now();
    for (let index = 0; index < count; index += 1) {
      const ahead = start + index * everyMs - performance.now();
      if (ahead > 0) await pause(ahead);
      this.#engine.sendProbe(peer, probing.next(token, performance.now()));
    }
    await pause(waitMs);
    return probing.end(token);
  }

  #armTimer(): void {
    clearTimeout(this.#timer);
    const at = this.#table.nextExpiry();
    if (at === undefined) {
      this.onIdle();
      return;
    }
    this.#timer = setTimeout(
      () => {
        this.#expire();
      },
      Math.max(0, at - performance.now()),
    );
    this.#timer.unref();
  }

  #expire(): void {
    const before = this.#table.version;
    this.#table.expire(performance.now());
    if (this.#table.version !== before) void this.#apply().catch(() => undefined);
    this.#armTimer();
  }
}
