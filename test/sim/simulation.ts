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
const WRITEBACK_MS = 3000;
/** Long enough for the last write-backs and notices. */
const SETTLE_MS = 10_000;

class Simulation {
  readonly #options: SimulationOptions;
  readonly #prng: Prng;
  readonly queue = new EventQueue();
  readonly #network: DirectNetwork | RudpNetwork;
  readonly #world: World;
  readonly #server: SimulatedServer;
  readonly #cachers: SimulatedCacher[] = [];
  readonly #applications: SimulatedApplication[] = [];
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
    const disk = FakeDisk.formatted(this.#geometry, options.seed, { journalBytes: 65_536 });
    this.#server = new SimulatedServer(this.#world, disk, options.openPolicy, blocksPerFile * 3);
    for (let index = 1; index <= options.cachers; index++) this.#addCacher(index);
    for (let index = 1; index <= options.directClients; index++) this.#addDirectClient(index);
    this.queue.at(HEAL_MS, () => {
      this.#network.heal();
    });
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

  #addCacher(index: number): void {
    const settings = {
      node: `n${index}` as NodeId,
      incarnation: index * 1000 + 1,
      pages: this.#options.pages,
      writebackIntervalMs: WRITEBACK_MS,
    };
    const cacher = new SimulatedCacher(this.#world, settings);
    this.#cachers.push(cacher);
    cacher.onReady = () => {
      for (let each = 0; each < this.#options.applications; each++) {
        const link = `n${index}.${each}`;
        const port = {
          name: link,
          request: (message: Parameters<SimulatedCacher['request']>[1]) => {
            cacher.request(link, message);
          },
        };
        const application = this.#application(port);
        cacher.connect(link, application.listener);
      }
    };
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
    if (server !== undefined) checkAlways(server, this.#cores(), this.history);
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
    const settled = Math.max(this.queue.now, HEAL_MS) + SETTLE_MS;
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
    const sum: Record<string, number> = { linksBroken: this.#network.broken };
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
