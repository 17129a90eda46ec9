/** One run of the whole cluster in virtual time, from one seed. */

import { checkHistory } from '../../cli/check/check_history.ts';
import { showOperation } from '../../cli/check/operation.ts';
import { fillContents } from '../../fileserver/disk/fill.ts';
import type { Server } from '../../fileserver/server_state.ts';
import { decode, encode } from '../../protocol/codec.ts';
import {
  fileSizeBytes,
  SERVER,
  type Geometry,
  type NodeId,
  type OpenPolicy,
} from '../../protocol/ids.ts';
import { channelOf } from '../../protocol/messages.ts';
import { FakeDisk } from '../fileserver/disk/fake_disk.ts';
import { SimulatedApplication, type History } from './applications.ts';
import { DirectNetwork } from './direct_network.ts';
import { RudpNetwork } from './rudp_network.ts';
import { EventQueue } from './event_queue.ts';
import { checkAlways, checkAtRest } from './invariants.ts';
import { Prng } from './prng.ts';
import { SimulatedCacher } from './simulated_cacher.ts';
import { SimulatedServer } from './simulated_server.ts';
import { fail, SimulationFailure, type World } from './world.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly cachers: number;
  readonly applications: number;
  readonly directClients: number;
  readonly files: number;
  readonly blocksPerFile: number;
  readonly pages: number;
  readonly operations: number;
  /** How many times links are broken, losing what is under way. */
  readonly breaks: number;
  readonly openPolicy: OpenPolicy;
  /** Crashes and pauses of cachers and of the server. */
  readonly crashes: number;
  /** How much faster or slower a node's clock may go, 0.1 for 10 %. */
  readonly clockDrift: number;
  /** Messages over rudp and a bad network, or as rudp promises to deliver them (much faster). */
  readonly links: 'rudp' | 'direct';
  /** Over rudp: real encryption instead of checksums (slower). */
  readonly encrypted: boolean;
  /** Probabilities per datagram. */
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly corrupt: number;
}

export interface SimulationResult {
  readonly seed: number;
  /** What is wrong; undefined if nothing is. */
  readonly failure: string | undefined;
  /** FNV-1a of every line of the trace: two runs with one hash did the same. */
  readonly hash: string;
  readonly events: number;
  readonly operations: number;
  readonly virtualMs: number;
  readonly counters: Readonly<Record<string, number>>;
}

const BLOCK_BYTES = 128;
/** From here on the network does no harm. */
const HEAL_MS = 8000;
/** A run that is not over by then, long after the network is healed, waits for something for ever. */
const LIMIT_MS = 60_000;
const MAX_DELAY_MS = 20;
const THINK_MS = 60;
const FIRST_FAULT_MS = 700;
const FAULT_SPACING_MS = 2500;
const MAX_PAUSE_MS = 1500;
const MAX_DOWN_MS = 1500;
const WRITEBACK_MS = 3000;
const SERVER_WAIT_MS = 20_000;
/** Long enough for the last write-backs and notices. */
const SETTLE_MS = 10_000;

class Simulation {
  readonly #options: SimulationOptions;
  readonly #prng: Prng;
  readonly queue = new EventQueue();
  readonly #network: DirectNetwork | RudpNetwork;
  readonly #world: World;
  #server: SimulatedServer;
  readonly #disk: FakeDisk;
  readonly faults = { crashes: 0, pauses: 0, serverCrashes: 0 };
  readonly #cachers: SimulatedCacher[] = [];
  readonly #applications: SimulatedApplication[] = [];
  readonly #ports: { link: string; place: number; application: SimulatedApplication }[] = [];
  readonly #geometry: Geometry;
  readonly history: History = { operations: [], acknowledged: new Map(), failures: 0 };
  #hash = 0x811c9dc5;
  #limitMs = LIMIT_MS;
  events = 0;

  constructor(options: SimulationOptions, print: ((line: string) => void) | undefined) {
    this.#options = options;
    this.#prng = new Prng(options.seed);
    const { files, blocksPerFile } = options;
    this.#geometry = { files, blockSizeBytes: BLOCK_BYTES, blocksPerFile };
    this.#network = this.#makeNetwork();
    const trace = (line: string): void => {
      const text = `${this.queue.now.toFixed(3)} ${line}`;
      for (let index = 0; index < text.length; index++) {
        this.#hash = Math.imul(this.#hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
      }
      print?.(text);
    };
    const random = this.#prng.fork().next;
    this.#world = { queue: this.queue, random, network: this.#network.network, trace };
    this.#disk = FakeDisk.formatted(this.#geometry, options.seed, { journalBytes: 65_536 });
    this.#server = this.#startServer(1);
    for (let index = 1; index <= options.cachers; index++) this.#addCacher(index);
    for (let index = 1; index <= options.directClients; index++) this.#addDirectClient(index);
    this.queue.at(HEAL_MS, () => {
      this.#network.heal();
    });
    this.#planFaults();
    for (let index = 0; index < options.breaks; index++) {
      this.queue.at(this.#prng.next() * 3000, () => {
        this.#network.breakOne();
      });
    }
  }

  #makeNetwork(): DirectNetwork | RudpNetwork {
    const { links, encrypted, loss, duplicate, reorder, corrupt } = this.#options;
    const random = this.#prng.fork();
    if (links === 'direct') {
      return new DirectNetwork(this.queue, random.next, { maxDelayMs: MAX_DELAY_MS });
    }
    const delays = { delayMs: 0.5, jitterMs: MAX_DELAY_MS / 2, reorderMs: MAX_DELAY_MS };
    const profile = { ...delays, loss, duplicate, reorder, corrupt };
    return new RudpNetwork(this.queue, random, profile, encrypted);
  }

  get hash(): string {
    return this.#hash.toString(16).padStart(8, '0');
  }

  #startServer(life: number): SimulatedServer {
    const { openPolicy, blocksPerFile } = this.#options;
    return new SimulatedServer(this.#world, this.#disk, openPolicy, blocksPerFile * 3, life);
  }

  #startCacher(index: number, life: number): SimulatedCacher {
    const drift = this.#options.clockDrift;
    return new SimulatedCacher(this.#world, {
      node: `n${index}` as NodeId,
      incarnation: index * 1000 + life,
      pages: this.#options.pages,
      writebackIntervalMs: WRITEBACK_MS,
      serverWaitMs: SERVER_WAIT_MS,
      clockRate: 1 + (2 * this.#prng.next() - 1) * drift,
      clockOffsetMs: drift === 0 ? 0 : this.#prng.next() * 1e6,
    });
  }

  #addCacher(index: number): void {
    const cacher = this.#startCacher(index, 1);
    const place = this.#cachers.push(cacher) - 1;
    for (let each = 0; each < this.#options.applications; each++) {
      const link = `n${index}.${each}`;
      const application = this.#application({
        name: link,
        request: (message: Parameters<SimulatedCacher['request']>[1]) => {
          this.#cachers[place]?.request(link, message);
        },
      });
      this.#ports.push({ link, place, application });
    }
    this.#connectWhenReady(place, cacher);
  }

  /** The applications of a node connect as soon as its cacher is registered. */
  #connectWhenReady(place: number, cacher: SimulatedCacher): void {
    cacher.onReady = () => {
      for (const port of this.#ports) {
        if (port.place === place) cacher.connect(port.link, port.application.listener);
      }
    };
  }

  /** Faults come one after another, with time between them to be whole again: one loss at a time. */
  #planFaults(): void {
    let atMs = FIRST_FAULT_MS;
    for (let count = 0; count < this.#options.crashes; count++) {
      this.queue.at(atMs, () => {
        this.#fault();
      });
      atMs += FAULT_SPACING_MS + this.#prng.next() * FAULT_SPACING_MS;
    }
  }

  #fault(): void {
    const kind = this.#prng.next();
    if (kind < 0.5) this.#crashCacher(this.#prng.below(this.#cachers.length));
    else if (kind < 0.75) this.#pauseCacher(this.#prng.below(this.#cachers.length));
    else this.#crashServer();
  }

  #pauseCacher(place: number): void {
    this.faults.pauses++;
    const forMs = 100 + this.#prng.next() * MAX_PAUSE_MS;
    this.#world.trace(`n${place + 1} stands still for ${forMs.toFixed(0)} ms`);
    this.#cachers[place]?.pause(forMs);
  }

  #crashCacher(place: number): void {
    this.faults.crashes++;
    this.#world.trace(`n${place + 1} crashes`);
    this.#cachers[place]?.crash();
    const mine = this.#ports.filter((each) => each.place === place);
    for (const { application } of mine) application.lost();
    this.queue.after(this.#prng.next() * MAX_DOWN_MS, () => {
      this.#world.trace(`n${place + 1} starts again`);
      const life = this.faults.crashes + 1;
      const cacher = this.#startCacher(place + 1, life);
      this.#cachers[place] = cacher;
      this.#connectWhenReady(place, cacher);
    });
  }

  #crashServer(): void {
    if (this.#server.server === undefined) return;
    this.faults.serverCrashes++;
    this.#world.trace('the server crashes');
    this.#server.crash();
    this.queue.after(this.#prng.next() * MAX_DOWN_MS, () => {
      this.#world.trace('the server starts again');
      this.#server = this.#startServer(this.faults.serverCrashes + 1);
    });
  }

  #addDirectClient(index: number): void {
    const name = `direct${index}`;
    let application: SimulatedApplication | undefined;
    const links = this.#world.network(name, 1, {
      up: () => {
        application ??= this.#application({
          name,
          request: (message) => {
            links.send(SERVER, channelOf(message), encode(message));
          },
        });
        links.send(SERVER, 0, encode({ type: 'hello', protocol: 1 }));
      },
      down: () => {
        application?.lost();
      },
      message: (_peer, bytes) => {
        application?.listener(decode(bytes));
      },
    });
    links.setPeer(SERVER, SERVER, 'always');
  }

  #application(port: ConstructorParameters<typeof SimulatedApplication>[1]): SimulatedApplication {
    const { operations, files } = this.#options;
    const settings = { operations, thinkMs: THINK_MS, files };
    const application = new SimulatedApplication(
      this.#world,
      port,
      this.#geometry,
      settings,
      this.history,
    );
    this.#applications.push(application);
    return application;
  }

  #cores(): SimulatedCacher['cacher'][] {
    return this.#cachers.filter((each) => !each.stopped).map((each) => each.cacher);
  }

  #step(): void {
    if (!this.queue.step()) fail('nothing is left to happen');
    this.events++;
    const { server } = this.#server;
    if (server === undefined || this.#server.closed) return;
    const clocks = new Map(this.#cachers.map((each) => [each.cacher, each]));
    const clock = (cacher: SimulatedCacher['cacher']): number => clocks.get(cacher)?.now ?? 0;
    // Once a node was given up there is a moment before the next one has the second copy.
    const losses = this.faults.serverCrashes + server.counters.membersLost + this.faults.crashes;
    const needed = losses > 0 ? 1 : 2;
    checkAlways(server, this.#cores(), this.history, clock, needed);
  }

  #runUntil(done: () => boolean, what: () => string): void {
    while (!done()) {
      if (this.queue.now > this.#limitMs) fail(`after ${this.#limitMs} ms: ${what()}`);
      this.#step();
    }
  }

  run(): void {
    const { cachers, applications, directClients } = this.#options;
    const expected = cachers * applications + directClients;
    const allDone = (): boolean =>
      this.#applications.length === expected && this.#applications.every((each) => each.done);
    this.#runUntil(allDone, () =>
      this.#applications
        .map((each) => each.waitsFor)
        .filter((each) => each !== '')
        .join('; '),
    );
    const faultsOver = FIRST_FAULT_MS + 2 * FAULT_SPACING_MS * this.#options.crashes;
    const settled = Math.max(this.queue.now, HEAL_MS, faultsOver) + SETTLE_MS;
    this.#runUntil(
      () => this.queue.now >= settled,
      () => 'it does not settle',
    );
    checkAtRest(this.#openServer(), this.#cores());
    this.#checkHistory();
    this.#stop();
  }

  #openServer(): Server {
    return this.#server.server ?? fail('the server is not open');
  }

  /** An orderly stop: the cachers hand everything over, and then the disk has it all. */
  #stop(): void {
    this.#limitMs = this.queue.now + LIMIT_MS;
    for (const cacher of this.#cachers) {
      cacher.stop();
      this.#runUntil(
        () => cacher.stopped,
        () => `${cacher.node} does not stop`,
      );
    }
    this.#server.stop();
    for (const [file, version] of this.history.acknowledged) {
      const held = this.#openServer().meta(file).version;
      if (
        held.term < version.term ||
        (held.term === version.term && held.counter < version.counter)
      ) {
        fail(`file ${file}: the disk lacks what was acknowledged`);
      }
    }
    this.#runUntil(
      () => this.#server.closed,
      () => 'the server does not stop',
    );
  }

  #checkHistory(): void {
    const size = fileSizeBytes(this.#geometry);
    const verdict = checkHistory(this.history.operations, {
      initialContents: (file) => fillContents(file, size),
    });
    if (verdict.verdict === 'linearizable') return;
    const piece = verdict.verdict === 'violation' ? verdict.piece.map(showOperation) : [];
    fail(`file ${verdict.file}: ${verdict.message}\n${piece.join('\n')}`);
  }

  counters(): Record<string, number> {
    const sum: Record<string, number> = { linksBroken: this.#network.broken, ...this.faults };
    const add = (from: object): void => {
      for (const [name, value] of Object.entries(from))
        sum[name] = (sum[name] ?? 0) + Number(value);
    };
    for (const { cacher } of this.#cachers) add(cacher.counters);
    if (this.#server.server !== undefined) add(this.#server.server.counters);
    if (this.#network instanceof RudpNetwork) add(this.#network.counters);
    return sum;
  }
}

export const simulate = (
  options: SimulationOptions,
  print?: (line: string) => void,
): SimulationResult => {
  const simulation = new Simulation(options, print);
  let failure: string | undefined;
  try {
    simulation.run();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    failure = error instanceof SimulationFailure ? error.message : (error.stack ?? error.message);
  }
  return {
    seed: options.seed,
    failure,
    hash: simulation.hash,
    events: simulation.events,
    operations: simulation.history.operations.length,
    virtualMs: simulation.queue.now,
    counters: simulation.counters(),
  };
};
