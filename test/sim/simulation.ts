/** One run of the whole cluster in virtual time, from one seed. */

import type { Cacher } from '../../cacher/cacher_state.ts';
import type { Server } from '../../fileserver/server_state.ts';
import type { Geometry } from '../../protocol/ids.ts';
import { connectDirectly, SimulatedApplication, type History, type Port } from './applications.ts';
import type { DirectNetwork } from './direct_network.ts';
import { RudpNetwork } from './rudp_network.ts';
import { DeclaredLosses } from './declared_losses.ts';
import { EventQueue } from './event_queue.ts';
import { FaultPlan, faultsOfAllKinds, killsAlone } from './faults.ts';
import {
  answerLimitMs,
  checkAlways,
  checkAnswered,
  checkAtRest,
  checkLinearizable,
  checkSaved,
} from './invariants.ts';
import { leaseFor, makeNetwork } from './make_network.ts';
import { Prng } from './prng.ts';
import { SimulatedCluster } from './simulated_cluster.ts';
import type { SimulationOptions, SimulationResult } from './simulation_options.ts';
import { survivalOf, type Kill } from './survival.ts';
import { Trace } from './trace.ts';
import { fail, SimulationFailure, type World } from './world.ts';

const BLOCK_BYTES = 128;
/** From here on, or from the end of the faults on, the network does no harm. */
const HEAL_MS = 8000;
/** A run that is not over by then, long after the network is healed, waits for something for ever. */
const LIMIT_MS = 200_000;
/** How often the run looks whether its faults are over, and for calls that wait too long. */
const LOOK_MS = 100;
const THINK_MS = 60;
/** With faults, operations are spread over the time that these take. */
const THINK_LEASES_A_FAULT = 0.2;
/** Long enough for the last write-backs and notices. */
const SETTLE_MS = 10_000;

class Simulation {
  readonly #options: SimulationOptions;
  readonly #prng: Prng;
  readonly queue = new EventQueue();
  readonly #network: DirectNetwork | RudpNetwork;
  readonly #world: World;
  readonly #cluster: SimulatedCluster;
  readonly faults: FaultPlan;
  readonly #applications: SimulatedApplication[] = [];
  readonly #geometry: Geometry;
  readonly history: History = {
    operations: [],
    acknowledged: new Map(),
    writes: [],
    lostAtMs: new Map(),
    failures: 0,
    unsaved: 0,
    linearizable: undefined,
    mayFail: (file, sinceMs) => this.#cluster.damage.mayFail(file, sinceMs),
    diskVersion: (file) => this.#cluster.server.server?.meta(file).version,
  };
  readonly losses = new DeclaredLosses(this.history);
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
    this.#world = {
      queue: this.queue,
      random,
      network: this.#network.network,
      trace: this.trace.add,
      leaseMs: leaseFor(options),
    };
    this.#cluster = new SimulatedCluster(
      this.#world,
      options,
      this.#geometry,
      this.#network,
      this.#prng,
      this.losses,
    );
    for (let index = 1; index <= options.cachers; index++) {
      this.#cluster.addCacher(index, (port) => this.#application(port));
    }
    for (let index = 1; index <= options.directClients; index++) this.#addDirectClient(index);
    const schedule =
      options.killSpacingMs === undefined
        ? faultsOfAllKinds(options.faults, options.losses && options.cachers > 1)
        : killsAlone(options.faults, options.killSpacingMs);
    this.faults = new FaultPlan(this.queue, this.#prng.fork(), this.#cluster.targets(), schedule);
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
    const over = this.faults.over && this.#cluster.isUp;
    const underLoad = this.#options.killSpacingMs !== undefined;
    if (underLoad && over && this.#cluster.isWhole) {
      for (const each of this.#applications) each.finish();
    }
    if (over && (!underLoad || this.#allDone) && this.#healedAtMs === Infinity) {
      this.#healedAtMs = this.queue.now;
      this.#network.heal();
      this.#world.trace('the faults are over');
    }
    const { leaseMs } = this.#cluster.server;
    checkAnswered(this.#applications, this.#healedAtMs, this.queue.now, leaseMs);
    this.queue.after(LOOK_MS, () => {
      this.#healWhenOver();
    });
  }

  #addDirectClient(index: number): void {
    connectDirectly(this.#world, `direct${index}`, (port) => this.#application(port));
  }

  #application(port: Port): SimulatedApplication {
    const { operations, files, faults, killSpacingMs } = this.#options;
    const spread = killSpacingMs === undefined ? faults : 0;
    const thinkMs = Math.max(THINK_MS, spread * THINK_LEASES_A_FAULT * this.leaseMs);
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

  get kills(): readonly Kill[] {
    return this.#cluster.kills;
  }

  get leaseMs(): number {
    return this.#world.leaseMs;
  }

  #step(): void {
    if (!this.queue.step()) fail('nothing is left to happen');
    this.events++;
    const { server, closed } = this.#cluster.server;
    if (server === undefined || closed) return;
    const clocks = new Map(this.#cluster.cachers.map((each) => [each.cacher, each]));
    const clock = (cacher: Cacher): number => clocks.get(cacher)?.now ?? 0;
    // Once a node was given up there is a moment before the next one has the second copy.
    const { serverRestarts, kills } = this.#cluster;
    const losses = serverRestarts + server.counters.membersLost + kills.length;
    const needed = losses > 0 ? 1 : 2;
    this.losses.look(server, this.queue.now);
    checkAlways(
      server,
      this.#cluster.cores(),
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
    const { leaseMs } = this.#cluster.server;
    const settled = this.queue.now + Math.max(SETTLE_MS, answerLimitMs(leaseMs));
    this.#runUntil(
      () => this.queue.now >= settled,
      () => 'it does not settle',
    );
    checkAtRest(this.#openServer(), this.#cluster.cores());
    checkLinearizable(this.history, this.#geometry);
    this.#stop();
  }

  #openServer(): Server {
    return this.#cluster.server.server ?? fail('the server is not open');
  }

  /** An orderly stop: the cachers hand everything over, and then the disk has it all. */
  #stop(): void {
    this.#limitMs = this.queue.now + LIMIT_MS;
    for (const cacher of this.#cluster.cachers) {
      cacher.stop();
      this.#runUntil(
        () => cacher.stopped,
        () => `${cacher.node} does not stop`,
      );
    }
    this.#cluster.server.stop();
    checkSaved(this.#openServer(), this.history);
    this.#runUntil(
      () => this.#cluster.server.closed,
      () => 'the server does not stop',
    );
  }

  counters(): Record<string, number> {
    const sum: Record<string, number> = { linksBroken: this.#network.broken };
    Object.assign(sum, this.faults.counts);
    sum['refusedForDamage'] = this.#cluster.damage.refused;
    sum['declaredLosses'] = this.losses.count;
    sum['restarts'] = this.#cluster.restarts;
    sum['serverRestarts'] = this.#cluster.serverRestarts;
    sum['apart'] = this.#options.apart && this.#options.cachers > 1 ? 1 : 0;
    sum['driftingClocks'] = this.#options.clockDrift > 0 ? this.#options.cachers : 0;
    const add = (from: object): void => {
      for (const [name, value] of Object.entries(from)) {
        sum[name] = (sum[name] ?? 0) + Number(value);
      }
    };
    for (const { cacher } of this.#cluster.cachers) add(cacher.counters);
    const { server } = this.#cluster.server;
    if (server !== undefined) add(server.counters);
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
