/** One run of the whole cluster in virtual time, from one seed. */

import type { Server } from '../../fileserver/server_state.ts';
import type { Geometry, NodeId } from '../../protocol/ids.ts';
import { FakeDisk } from '../fileserver/disk/fake_disk.ts';
import { connectDirectly, SimulatedApplication, type History, type Port } from './applications.ts';
import type { DirectNetwork } from './direct_network.ts';
import { RudpNetwork } from './rudp_network.ts';
import { computeLayout } from '../../fileserver/disk/layout.ts';
import { Damage } from './damage.ts';
import { DeclaredLosses } from './declared_losses.ts';
import { EventQueue } from './event_queue.ts';
import { FaultPlan, faultsOfAllKinds, killsAlone, type FaultTargets } from './faults.ts';
import {
  checkAlways,
  checkAnswered,
  checkAtRest,
  checkLinearizable,
  checkSaved,
  isProtected,
} from './invariants.ts';
import { leaseFor, makeNetwork } from './make_network.ts';
import { Prng } from './prng.ts';
import { SimulatedCacher } from './simulated_cacher.ts';
import type { SimulationOptions, SimulationResult } from './simulation_options.ts';
import { SimulatedServer } from './simulated_server.ts';
import { survivalOf, type Kill } from './survival.ts';
import { Trace } from './trace.ts';
import { fail, SimulationFailure, type World } from './world.ts';

const BLOCK_BYTES = 128;
const JOURNAL_BYTES = 65_536;
/** From here on, or from the end of the faults on, the network does no harm. */
const HEAL_MS = 8000;
/** A run that is not over by then, long after the network is healed, waits for something for ever. */
const LIMIT_MS = 200_000;
/** How often the run looks whether its faults are over, and for calls that wait too long. */
const LOOK_MS = 100;
const THINK_MS = 60;
/** With faults, operations are spread over the time that these take. */
const THINK_MS_A_FAULT = 80;
const WRITEBACK_MS = 3000;
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
  readonly #damage: Damage;
  readonly faults: FaultPlan;
  restarts = 0;
  serverRestarts = 0;
  readonly #cachers: SimulatedCacher[] = [];
  readonly #applications: SimulatedApplication[] = [];
  readonly #ports: { link: string; place: number; application: SimulatedApplication }[] = [];
  readonly #geometry: Geometry;
  readonly history: History = {
    operations: [],
    acknowledged: new Map(),
    writes: [],
    lostAtMs: new Map(),
    failures: 0,
    unsaved: 0,
    linearizable: undefined,
    mayFail: (file, sinceMs) => this.#damage.mayFail(file, sinceMs),
    diskVersion: (file) => this.#server.server?.meta(file).version,
  };
  readonly losses = new DeclaredLosses(this.history);
  readonly kills: Kill[] = [];
  readonly leaseMs: number;
  readonly trace: Trace;
  #limitMs = LIMIT_MS;
  #healedAtMs = Infinity;
  events = 0;

  constructor(options: SimulationOptions, print: ((line: string) => void) | undefined) {
    this.#options = options;
    this.#prng = new Prng(options.seed);
    const { files, blocksPerFile } = options;
    this.#geometry = { files, blockSizeBytes: BLOCK_BYTES, blocksPerFile };
    this.#network = makeNetwork(options, this.queue, this.#prng.fork());
    this.trace = new Trace(() => this.queue.now, print);
    const random = this.#prng.fork().next;
    this.leaseMs = leaseFor(options.profile);
    this.#world = {
      queue: this.queue,
      random,
      network: this.#network.network,
      trace: this.trace.add,
      leaseMs: this.leaseMs,
    };
    this.#disk = FakeDisk.formatted(this.#geometry, options.seed, { journalBytes: JOURNAL_BYTES });
    const layout = computeLayout(this.#geometry, JOURNAL_BYTES);
    this.#damage = new Damage(this.#world, this.#disk, layout, () => this.#cores());
    this.#server = this.#startServer(1);
    for (let index = 1; index <= options.cachers; index++) this.#addCacher(index);
    for (let index = 1; index <= options.directClients; index++) this.#addDirectClient(index);
    const schedule =
      options.killSpacingMs === undefined
        ? faultsOfAllKinds(options.faults, options.losses && options.cachers > 1)
        : killsAlone(options.faults, options.killSpacingMs);
    this.faults = new FaultPlan(this.queue, this.#prng.fork(), this.#targets(), schedule);
    this.queue.at(HEAL_MS, () => {
      this.#healWhenOver();
    });
    for (let index = 0; index < options.breaks; index++) {
      this.queue.at(this.#prng.next() * 3000, () => {
        this.#network.breakOne();
      });
    }
  }

  /**
   * From then on nothing goes wrong; every call must be answered soon. Where nodes are killed under load, the load
   * ends once the cluster is whole, and the network is bad until the last call is answered.
   */
  #healWhenOver(): void {
    const { over } = this.faults;
    const underLoad = this.#options.killSpacingMs !== undefined;
    if (underLoad && over && this.#isWhole()) for (const each of this.#applications) each.finish();
    if (over && (!underLoad || this.#allDone) && this.#healedAtMs === Infinity) {
      this.#healedAtMs = this.queue.now;
      this.#network.heal();
      this.#world.trace('the faults are over');
    }
    checkAnswered(this.#applications, this.#healedAtMs, this.queue.now);
    this.queue.after(LOOK_MS, () => {
      this.#healWhenOver();
    });
  }

  #startServer(life: number): SimulatedServer {
    const pages = this.#options.blocksPerFile * 3;
    return new SimulatedServer(this.#world, this.#disk, this.#damage, this.#options, pages, life);
  }

  #startCacher(index: number, life: number): SimulatedCacher {
    const drift = this.#options.clockDrift;
    return new SimulatedCacher(this.#world, {
      node: `n${index}` as NodeId,
      incarnation: index * 1000 + life,
      pages: this.#options.pages,
      writebackIntervalMs: WRITEBACK_MS,
      serverWaitMs: this.#options.serverWaitMs,
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

  /** What faults do to the nodes of this run. */
  #targets(): FaultTargets {
    return {
      cachers: this.#options.cachers,
      crashCacher: (place, downMs) => {
        this.#crashCacher(place, downMs);
      },
      forget: (place) => {
        this.#server.forget(`n${place + 1}` as NodeId);
      },
      crashServer: (downMs) => {
        this.#crashServer(downMs);
      },
      pauseCacher: (place, forMs) => {
        this.#world.trace(`n${place + 1} stands still for ${forMs.toFixed(0)} ms`);
        this.#cachers[place]?.pause(forMs);
      },
      pauseServer: (forMs) => {
        this.#world.trace(`the server stands still for ${forMs.toFixed(0)} ms`);
        this.#server.pause(forMs);
      },
      slowDisk: (forMs) => {
        this.#world.trace(`the disk is slow for ${forMs.toFixed(0)} ms`);
        this.#server.slowDisk(forMs);
      },
      cutOff: (place, direction, forMs) => {
        this.#world.trace(`n${place + 1} is cut off (${direction}) for ${forMs.toFixed(0)} ms`);
        this.#network.cutOff(`n${place + 1}`, direction, forMs);
      },
      flipBit: (forMs) => {
        this.#damage.flip(forMs);
      },
      isWhole: () => this.#isWhole(),
    };
  }

  #isWhole(): boolean {
    const { server } = this.#server;
    if (server === undefined || this.#server.closed || server.quietUntilMs > 0) return false;
    if (!this.#damage.none) return false;
    if (this.#cachers.some((each) => each.stopped || !each.cacher.admitted)) return false;
    return server.members.size >= this.#cachers.length && isProtected(server);
  }

  #crashCacher(place: number, downMs: number): void {
    this.#world.trace(`n${place + 1} crashes`);
    this.kills.push({ node: `n${place + 1}`, atMs: this.queue.now });
    this.#cachers[place]?.crash();
    // A second one before the first is back takes the last copies with it.
    if (this.#cachers.filter((each) => each.stopped).length > 1) {
      this.losses.possibleSinceMs = Math.min(this.losses.possibleSinceMs, this.queue.now);
    }
    const mine = this.#ports.filter((each) => each.place === place);
    for (const { application } of mine) application.lost();
    this.queue.after(downMs, () => {
      this.restarts++;
      this.#world.trace(`n${place + 1} starts again`);
      const cacher = this.#startCacher(place + 1, this.restarts + 1);
      this.#cachers[place] = cacher;
      this.#connectWhenReady(place, cacher);
    });
  }

  #crashServer(downMs: number): void {
    // It may be down, or still opening its disk, after the last crash.
    if (this.#server.server === undefined || this.#server.closed) return;
    this.#world.trace('the server crashes');
    this.#server.crash();
    this.queue.after(downMs, () => {
      this.serverRestarts++;
      this.#world.trace('the server starts again');
      this.#server = this.#startServer(this.serverRestarts + 1);
    });
  }

  #addDirectClient(index: number): void {
    connectDirectly(this.#world, `direct${index}`, (port) => this.#application(port));
  }

  #application(port: Port): SimulatedApplication {
    const { operations, files, faults, killSpacingMs } = this.#options;
    const spread = killSpacingMs === undefined ? faults : 0;
    const thinkMs = Math.max(THINK_MS, spread * THINK_MS_A_FAULT);
    const settings = { operations, thinkMs, files };
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
    const losses = this.serverRestarts + server.counters.membersLost + this.faults.counts.crashes;
    const needed = losses > 0 ? 1 : 2;
    this.losses.look(server, this.queue.now);
    checkAlways(
      server,
      this.#cores(),
      this.history,
      clock,
      this.queue.now < this.losses.possibleSinceMs ? needed : 0,
    );
  }

  #runUntil(done: () => boolean, what: () => string): void {
    while (!done()) {
      if (this.queue.now > this.#limitMs) fail(`after ${this.#limitMs} ms: ${what()}`);
      this.#step();
    }
  }

  get #allDone(): boolean {
    const { cachers, applications, directClients } = this.#options;
    const expected = cachers * applications + directClients;
    return this.#applications.length === expected && this.#applications.every((each) => each.done);
  }

  run(): void {
    const waiting = (): string[] => this.#applications.map((each) => each.waitsFor);
    this.#runUntil(
      () => this.#allDone,
      () => waiting().filter(Boolean).join('; '),
    );
    this.#runUntil(
      () => this.queue.now >= this.#healedAtMs,
      () => 'the faults do not end',
    );
    const settled = this.queue.now + SETTLE_MS;
    this.#runUntil(
      () => this.queue.now >= settled,
      () => 'it does not settle',
    );
    checkAtRest(this.#openServer(), this.#cores());
    checkLinearizable(this.history, this.#geometry);
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
    checkSaved(this.#openServer(), this.history);
    this.#runUntil(
      () => this.#server.closed,
      () => 'the server does not stop',
    );
  }

  counters(): Record<string, number> {
    const sum: Record<string, number> = { linksBroken: this.#network.broken };
    Object.assign(sum, this.faults.counts);
    sum['refusedForDamage'] = this.#damage.refused;
    sum['declaredLosses'] = this.losses.count;
    sum['restarts'] = this.restarts;
    sum['serverRestarts'] = this.serverRestarts;
    sum['apart'] = this.#options.apart && this.#options.cachers > 1 ? 1 : 0;
    sum['driftingClocks'] = this.#options.clockDrift > 0 ? this.#options.cachers : 0;
    const add = (from: object): void => {
      for (const [name, value] of Object.entries(from)) {
        sum[name] = (sum[name] ?? 0) + Number(value);
      }
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
    hash: simulation.trace.hash,
    events: simulation.events,
    operations: simulation.history.operations.length,
    virtualMs: simulation.queue.now,
    counters: simulation.counters(),
    survival: options.killSpacingMs === undefined ? undefined : survivalOf(simulation),
  };
};
