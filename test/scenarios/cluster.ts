/**
 * A file server core and a few cacher cores in one test, with every message and every disk request
 * held back until the scenario lets it through. All messages go through the codec, as on the wire.
 */

import * as cacherCore from '../../cacher/cacher_core.ts';
import type { Cacher, CacherCommand } from '../../cacher/cacher_state.ts';
import { COURSE } from '../../cacher/replacement.ts';
import type { DegradedPolicy } from '../../fileserver/degraded.ts';
import * as serverCore from '../../fileserver/server_core.ts';
import type { Server, ServerCommand } from '../../fileserver/server_state.ts';
import { decode, encode } from '../../protocol/codec.ts';
import {
  compareVersions,
  SERVER,
  type FileNumber,
  type NodeId,
  type OpenPolicy,
  type Version,
} from '../../protocol/ids.ts';
import { channelOf, type Message } from '../../protocol/messages.ts';
import { checkAlways } from '../sim/invariants.ts';
import { ScenarioDisk } from './disk.ts';
import { showAnswer, showMessage } from './show.ts';

export interface ClusterSettings {
  readonly nodes: readonly string[];
  readonly pages: number;
  readonly serverPages: number;
  readonly writebackMs: number;
  readonly policy: OpenPolicy;
  readonly leaseMs: number;
  readonly lostAfterMs: number;
  readonly degradedPolicy: DegradedPolicy;
  readonly serverWaitMs: number;
}

/** An application of a scenario: on a node, or straight at the server. */
interface Application {
  readonly name: string;
  readonly node: string | undefined;
  nextRequest: number;
  /** What is called and not answered. */
  readonly calls: Map<number, FileNumber>;
  last: string;
}

const GEOMETRY = { files: 16, blockSizeBytes: 8, blocksPerFile: 1 };
/** Far apart, so that a transcript shows what the scenario does and no more. */
const HEARTBEAT_MS = 500;
/** Two memories hold every acknowledged write, until nodes are lost. */
const COPIES = 2;
/** More deliveries than any scenario needs: two nodes are going in circles. */
const DELIVERIES_LIMIT = 2000;
const QUIET: ReadonlySet<string> = new Set(['heartbeat', 'heartbeatAck', 'members']);

const pairOf = (a: string, b: string): string => [a, b].sort().join(' - ');

export class Cluster {
  readonly #settings: ClusterSettings;
  now = 0;
  readonly disk = new ScenarioDisk(GEOMETRY);
  server: Server;
  readonly cachers = new Map<string, Cacher>();
  readonly stopped = new Set<string>();
  /** "n1 > server" → messages under way, the oldest first. */
  readonly queues = new Map<string, Uint8Array[]>();
  /** Between these pairs nothing gets through, whether they know it or not. */
  readonly #broken = new Set<string>();
  /** In which life each node is. */
  readonly #incarnations = new Map<string, number>();
  #deaths = 0;
  readonly #applications = new Map<string, Application>();
  readonly #acknowledged = new Map<FileNumber, Version>();
  /** The transcript's output since the last command. */
  output: string[] = [];

  constructor(settings: ClusterSettings) {
    this.#settings = settings;
    this.server = this.#newServer(1);
    for (const name of settings.nodes) this.#newCacher(name);
    for (const name of settings.nodes) this.link(name, 'server', true);
    this.deliverAll([]);
    this.output = [];
  }

  #newServer(epoch: number): Server {
    const { policy, degradedPolicy, serverPages, leaseMs, lostAfterMs } = this.#settings;
    const leases = { heartbeatMs: HEARTBEAT_MS, leaseMs, marginMs: leaseMs / 4, lostAfterMs };
    // No story is long enough for the scrub.
    const times = { ...leases, scrubMs: 1e9, recoveriesAtOnce: 64 };
    const options = { geometry: GEOMETRY, epoch, openPolicy: policy, degradedPolicy, ...times };
    return serverCore.newServer(options, serverPages, this.disk.meta);
  }

  #newCacher(name: string): void {
    const { pages, writebackMs, serverWaitMs } = this.#settings;
    const node = name as NodeId;
    const incarnation = (this.#incarnations.get(name) ?? 0) + 1;
    const own = { node, incarnation, address: name, pages, policy: COURSE, serverWaitMs };
    const cacher = cacherCore.newCacher({ ...own, writebackIntervalMs: writebackMs }, this.now);
    this.#incarnations.set(name, incarnation);
    this.cachers.set(name, cacher);
    this.stopped.delete(name);
  }

  cacher(name: string): Cacher {
    const cacher = this.cachers.get(name);
    if (cacher === undefined) throw new Error(`there is no node ${name}`);
    return cacher;
  }

  /** Brings a link up, or breaks it: what was under way is lost. */
  link(a: string, b: string, up: boolean): void {
    const pair = pairOf(a, b);
    if (up) this.#broken.delete(pair);
    else this.#broken.add(pair);
    this.queues.delete(`${a} > ${b}`);
    this.queues.delete(`${b} > ${a}`);
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      const cacher = this.cachers.get(here);
      const change = up ? cacherCore.handlePeerUp : cacherCore.handlePeerDown;
      if (cacher !== undefined) change(cacher, there as NodeId, this.now);
      else if (!up) serverCore.handleLinkDown(this.server, this.#linkName(there), this.now);
    }
    this.#drain();
  }

  #linkName(name: string): string {
    const incarnation = this.#incarnations.get(name);
    return incarnation === undefined ? name : `${name}#${incarnation}`;
  }

  /** From now on what two nodes send each other is lost, and neither is told; or no more. */
  cut(a: string, b: string, off: boolean): void {
    if (off) this.#broken.add(pairOf(a, b));
    else this.#broken.delete(pairOf(a, b));
  }

  /** A node is gone with all that it held; what it has sent may still arrive. */
  die(name: string): void {
    this.stopped.add(name);
    this.#deaths++;
    for (const key of this.queues.keys()) if (key.endsWith(`> ${name}`)) this.queues.delete(key);
  }

  /** A node that died starts again, with nothing. */
  comeBack(name: string): void {
    for (const key of this.queues.keys()) if (key.startsWith(`${name} >`)) this.queues.delete(key);
    this.#newCacher(name);
    this.link(name, 'server', true);
  }

  /** The server is gone with all but its disk, and starts again; who is not cut off finds it at once. */
  restartServer(): void {
    this.server = this.#newServer(this.server.options.epoch + 1);
    this.disk.requests.length = 0;
    serverCore.startQuiet(this.server, this.#settings.leaseMs, this.now);
    serverCore.restoreMarks(this.server, this.disk.markedFiles());
    serverCore.restoreLosses(this.server, this.disk.filesWithLosses());
    for (const name of this.cachers.keys()) {
      if (this.stopped.has(name) || this.#broken.has(pairOf(name, 'server'))) continue;
      this.link(name, 'server', false);
      this.link(name, 'server', true);
    }
  }

  #send(from: string, to: string, message: Message): void {
    if (this.#broken.has(pairOf(from, to)) || this.stopped.has(to)) return;
    const key = `${from} > ${to}`;
    const queue = this.queues.get(key) ?? [];
    queue.push(encode(message));
    this.queues.set(key, queue);
  }

  /**
   * Delivers the oldest message of a queue, or the oldest of one type, or about one file; never one past
   * another of its channel. False if there is none.
   */
  deliver(from: string, to: string, type?: string, file?: FileNumber): boolean {
    const queue = this.queues.get(`${from} > ${to}`) ?? [];
    const messages = queue.map((bytes) => decode(bytes));
    const index = messages.findIndex(
      (each) =>
        (type === undefined || each.type === type) &&
        (file === undefined || ('file' in each && each.file === file)),
    );
    const message = messages[index];
    if (message === undefined) return false;
    const overtaken = messages
      .slice(0, index)
      .find((each) => channelOf(each) === channelOf(message));
    if (overtaken !== undefined) throw new Error(`${type ?? ''} would overtake ${overtaken.type}`);
    queue.splice(index, 1);
    this.#receive(from, to, message);
    return true;
  }

  #receive(from: string, to: string, message: Message): void {
    if (!QUIET.has(message.type)) this.output.push(`${from} > ${to} ${showMessage(message)}`);
    const cacher = this.cachers.get(to);
    if (to === 'server') {
      serverCore.handleMessage(this.server, this.#linkName(from), message, this.now);
    } else if (cacher !== undefined) {
      if (!this.stopped.has(to)) {
        cacherCore.handleMessage(cacher, from as NodeId, message, this.now);
      }
    } else {
      this.#answered(to, message);
    }
    this.#drain();
  }

  /** Lets the disk finish its oldest request. False if it has none. */
  finishDisk(fails: boolean): boolean {
    const result = this.disk.finish(fails);
    if (result === undefined) return false;
    this.output.push(`disk ${result.text}`);
    if (result.kind === 'synced') {
      serverCore.handleCommitted(this.server, result.token, this.now);
    } else {
      serverCore.handleFileRead(this.server, result.token, result.bytes, this.now);
    }
    this.#drain();
    return true;
  }

  /** Delivers everything, the queues in turn, until nothing is under way but in the held queues. */
  deliverAll(held: readonly string[]): void {
    for (let count = 0; count < DELIVERIES_LIMIT; count++) {
      const open = [...this.queues].find(([key, queue]) => queue.length > 0 && !held.includes(key));
      if (open === undefined) {
        if (held.includes('disk') || !this.finishDisk(false)) return;
        continue;
      }
      const [key, queue] = open;
      // To the end, so that every queue has its turn.
      this.queues.delete(key);
      this.queues.set(key, queue);
      const [from = '', to = ''] = key.split(' > ');
      this.deliver(from, to);
    }
    throw new Error(`${DELIVERIES_LIMIT} deliveries and no end`);
  }

  /** Lets time pass; timers fire in order. Heartbeats are delivered at once. */
  advance(byMs: number): void {
    const end = this.now + byMs;
    for (let count = 0; ; count++) {
      if (count > DELIVERIES_LIMIT) throw new Error('a timer is due again and again');
      const due = Math.min(...this.#timers());
      this.now = Math.min(end, Math.max(due, this.now));
      if (due > end) break;
      if (serverCore.nextTimeout(this.server) <= this.now) {
        serverCore.handleTimeout(this.server, this.now);
      }
      for (const [name, cacher] of this.cachers) {
        if (this.stopped.has(name) || cacherCore.nextTimeout(cacher) > this.now) continue;
        cacherCore.handleTimeout(cacher, this.now);
      }
      this.#drain();
    }
  }

  *#timers(): Iterable<number> {
    yield serverCore.nextTimeout(this.server);
    for (const [name, cacher] of this.cachers) {
      if (!this.stopped.has(name)) yield cacherCore.nextTimeout(cacher);
    }
  }

  application(name: string): Application {
    let application = this.#applications.get(name);
    if (application === undefined) {
      const [node] = name.split('.');
      const home = node !== undefined && this.cachers.has(node) ? node : undefined;
      application = { name, node: home, nextRequest: 1, calls: new Map(), last: 'nothing' };
      this.#applications.set(name, application);
      const hello = { type: 'hello', protocol: 1 } as const;
      if (home === undefined) serverCore.handleMessage(this.server, name, hello, this.now);
      else cacherCore.handleApplication(this.cacher(home), name, hello, this.now);
      this.#drain();
      this.queues.delete(`server > ${name}`);
      application.last = 'nothing';
    }
    return application;
  }

  /** Makes a call; the request number is put in. */
  call(name: string, make: (request: number) => Message & { readonly file: FileNumber }): void {
    const application = this.application(name);
    const request = application.nextRequest++;
    const message = make(request);
    application.calls.set(request, message.file);
    if (application.node === undefined) {
      this.#send(name, 'server', message);
    } else {
      cacherCore.handleApplication(this.cacher(application.node), name, message, this.now);
    }
    this.#drain();
  }

  /** An application that talks to the server has it give a node up. */
  forget(name: string, node: string): void {
    const application = this.application(name);
    const request = application.nextRequest++;
    application.calls.set(request, 0 as FileNumber);
    this.#send(name, 'server', { type: 'forget', request, node: node as NodeId });
  }

  disconnect(name: string): void {
    const { node } = this.application(name);
    this.#applications.delete(name);
    if (node === undefined) serverCore.handleLinkDown(this.server, name, this.now);
    else cacherCore.handleApplicationClosed(this.cacher(node), name, this.now);
    this.#drain();
  }

  /** Orderly stop of a node or of the server. */
  stop(name: string): void {
    if (name === 'server') serverCore.handleStop(this.server, this.now);
    else cacherCore.handleStop(this.cacher(name), this.now);
    this.#drain();
  }

  #answered(name: string, message: Message): void {
    const application = this.#applications.get(name);
    if (application === undefined || !('request' in message)) return;
    const file = application.calls.get(message.request);
    application.calls.delete(message.request);
    application.last = showAnswer(message);
    this.output.push(`${name}: ${application.last}`);
    if (message.type !== 'writeDone' || message.copies === 0 || file === undefined) return;
    const before = this.#acknowledged.get(file);
    if (before === undefined || compareVersions(message.version, before) > 0) {
      this.#acknowledged.set(file, message.version);
    }
  }

  /** Takes the commands of all cores; then everything that must always hold must hold. */
  #drain(): void {
    const { server } = this;
    for (let next = serverCore.pollCommand(server); next; next = serverCore.pollCommand(server)) {
      this.#performServer(next);
    }
    for (const [name, cacher] of this.cachers) {
      for (let next = cacherCore.pollCommand(cacher); next; next = cacherCore.pollCommand(cacher)) {
        this.#performCacher(name, next);
      }
    }
    const live = [...this.cachers].filter(([name]) => !this.stopped.has(name));
    const history = { acknowledged: this.#acknowledged };
    checkAlways(
      server,
      live.map(([, cacher]) => cacher),
      history,
      () => this.now,
      Math.max(0, COPIES - this.#deaths),
    );
  }

  #performServer(command: ServerCommand): void {
    if (command.do === 'send') {
      const [to = ''] = command.to.split('#');
      // A link to an earlier life of the node leads nowhere.
      if (command.to !== this.#linkName(to)) return;
      const lost = this.#broken.has(pairOf('server', to)) || this.stopped.has(to);
      if (command.message.type !== 'heartbeatAck') this.#send('server', to, command.message);
      else if (!lost) this.#receive('server', to, command.message);
    } else if (command.do === 'readFile' || command.do === 'commit') {
      this.disk.requests.push(command);
    } else if (command.do === 'stop') {
      this.stopped.add('server');
      this.output.push('server stops');
    } else if (command.level === 'warn') {
      this.output.push(`server warns: ${command.text}`);
    }
  }

  #performCacher(name: string, command: CacherCommand): void {
    if (command.do === 'send') {
      const { to, message } = command;
      const late = this.#broken.has(pairOf(name, to));
      if (message.type !== 'heartbeat') this.#send(name, to, message);
      else if (to === SERVER && !late) this.#receive(name, to, message);
    } else if (command.do === 'reply') {
      this.#answered(command.to, command.message);
    } else if (command.do === 'stop') {
      this.stopped.add(name);
      this.output.push(`${name} stops`);
    } else if (command.do === 'log' && command.level === 'warn') {
      this.output.push(`${name} warns: ${command.text}`);
    }
  }
}
