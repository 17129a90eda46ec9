/** The nodes of a run, the lives that each of them has, and what faults do to them. */

import type { Cacher } from '../../cacher/cacher_state.ts';
import { computeLayout } from '../../fileserver/disk/layout.ts';
import type { Geometry, NodeId } from '../../protocol/ids.ts';
import { FakeDisk } from '../fileserver/disk/fake_disk.ts';
import type { Port, SimulatedApplication } from './applications.ts';
import { Damage } from './damage.ts';
import type { DirectNetwork } from './direct_network.ts';
import type { FaultTargets } from './fault_kinds.ts';
import { isProtected } from './invariants.ts';
import type { Prng } from './prng.ts';
import type { RudpNetwork } from './rudp_network.ts';
import { SimulatedCacher } from './simulated_cacher.ts';
import type { SimulationOptions } from './simulation_options.ts';
import { SimulatedServer } from './simulated_server.ts';
import type { Kill } from './survival.ts';
import type { World } from './world.ts';

const JOURNAL_BYTES = 65_536;
const WRITEBACK_MS = 3000;

export class SimulatedCluster {
  readonly #world: World;
  readonly #options: SimulationOptions;
  readonly #network: DirectNetwork | RudpNetwork;
  readonly #random: Prng;
  readonly #losses: { possibleSinceMs: number };
  readonly #disk: FakeDisk;
  readonly damage: Damage;
  server: SimulatedServer;
  readonly cachers: SimulatedCacher[] = [];
  readonly #ports: { link: string; place: number; application: SimulatedApplication }[] = [];
  readonly kills: Kill[] = [];
  restarts = 0;
  serverRestarts = 0;

  constructor(
    world: World,
    options: SimulationOptions,
    geometry: Geometry,
    network: DirectNetwork | RudpNetwork,
    random: Prng,
    losses: { possibleSinceMs: number },
  ) {
    this.#world = world;
    this.#options = options;
    this.#network = network;
    this.#random = random;
    this.#losses = losses;
    this.#disk = FakeDisk.formatted(geometry, options.seed, { journalBytes: JOURNAL_BYTES });
    const layout = computeLayout(geometry, JOURNAL_BYTES);
    this.damage = new Damage(world, this.#disk, layout, () => this.cores());
    this.server = this.#startServer(1, 1);
  }

  /** The cores of the cachers that are up. */
  cores(): Cacher[] {
    return this.cachers.filter((each) => !each.stopped).map((each) => each.cacher);
  }

  /** Every node is up, and is not about to stop. */
  get isUp(): boolean {
    return !this.server.closed && !this.cachers.some((each) => each.stopped || each.leaving);
  }

  get isWhole(): boolean {
    const { server } = this.server;
    if (server === undefined || server.quietUntilMs > 0) return false;
    if (!this.damage.none) return false;
    if (this.cachers.some((each) => each.stopped || !each.cacher.admitted)) return false;
    return server.members.size >= this.cachers.length && isProtected(server);
  }

  addCacher(index: number, startApplication: (port: Port) => SimulatedApplication): void {
    const cacher = this.#startCacher(index, 1);
    const place = this.cachers.push(cacher) - 1;
    for (let each = 0; each < this.#options.applications; each++) {
      const link = `n${index}.${each}`;
      const application = startApplication({
        name: link,
        request: (message) => {
          this.cachers[place]?.request(link, message);
        },
      });
      this.#ports.push({ link, place, application });
    }
    this.#connectWhenReady(place, cacher);
  }

  #startServer(life: number, leaseShare: number): SimulatedServer {
    const pages = this.#options.blocksPerFile * 3;
    const policies = { ...this.#options, leaseShare };
    return new SimulatedServer(this.#world, this.#disk, this.damage, policies, pages, life);
  }

  #startCacher(index: number, life: number): SimulatedCacher {
    const { pages, serverWaitMs, clockDrift, clocksAtLimit } = this.#options;
    const share = 2 * this.#random.next() - 1;
    return new SimulatedCacher(this.#world, {
      node: `n${index}` as NodeId,
      incarnation: index * 1000 + life,
      pages,
      writebackIntervalMs: WRITEBACK_MS,
      serverWaitMs,
      clockRate: 1 + (clocksAtLimit ? Math.sign(share) : share) * clockDrift,
      clockOffsetMs: clockDrift === 0 ? 0 : this.#random.next() * 1e6,
    });
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
  targets(): FaultTargets {
    const { trace } = this.#world;
    return {
      cachers: this.#options.cachers,
      leaseMs: this.#world.leaseMs,
      crashCacher: (place, downMs) => {
        this.#crashCacher(place, downMs);
      },
      leave: (place, downMs) => {
        this.#leave(place, downMs);
      },
      forget: (place) => {
        this.server.forget(`n${place + 1}` as NodeId);
      },
      crashServer: (downMs, leaseShare = 1) => {
        this.#crashServer(downMs, leaseShare);
      },
      pauseCacher: (place, forMs) => {
        trace(`n${place + 1} stands still for ${forMs.toFixed(0)} ms`);
        this.cachers[place]?.pause(forMs);
      },
      pauseServer: (forMs) => {
        trace(`the server stands still for ${forMs.toFixed(0)} ms`);
        this.server.pause(forMs);
      },
      slowDisk: (forMs) => {
        trace(`the disk is slow for ${forMs.toFixed(0)} ms`);
        this.server.slowDisk(forMs);
      },
      cutOff: (place, direction, forMs) => {
        trace(`n${place + 1} is cut off (${direction}) for ${forMs.toFixed(0)} ms`);
        this.#network.cutOff(`n${place + 1}`, direction, forMs);
      },
      flipBit: (forMs) => {
        this.damage.flip(forMs);
      },
      isWhole: () => this.isWhole,
    };
  }

  #crashCacher(place: number, downMs: number): void {
    this.#world.trace(`n${place + 1} crashes`);
    this.kills.push({ node: `n${place + 1}`, atMs: this.#world.queue.now });
    this.cachers[place]?.crash();
    // A second one before the first is back takes the last copies with it.
    if (this.cachers.filter((each) => each.stopped).length > 1) this.#lossesArePossible();
    this.#restartCacher(place, downMs);
  }

  #leave(place: number, downMs: number): void {
    const cacher = this.cachers[place];
    if (cacher === undefined || cacher.stopped || cacher.leaving) return;
    this.#world.trace(`n${place + 1} is to stop`);
    cacher.onStopped = (complete) => {
      this.#world.trace(`n${place + 1} has stopped${complete ? '' : ' with what it had'}`);
      if (!complete) this.#lossesArePossible();
      this.#restartCacher(place, downMs);
    };
    cacher.stop();
  }

  #lossesArePossible(): void {
    const { now } = this.#world.queue;
    this.#losses.possibleSinceMs = Math.min(this.#losses.possibleSinceMs, now);
  }

  /** A node that is down has lost the connections of its applications, and starts again. */
  #restartCacher(place: number, downMs: number): void {
    for (const each of this.#ports) if (each.place === place) each.application.lost();
    this.#world.queue.after(downMs, () => {
      this.restarts++;
      this.#world.trace(`n${place + 1} starts again`);
      const cacher = this.#startCacher(place + 1, this.restarts + 1);
      this.cachers[place] = cacher;
      this.#connectWhenReady(place, cacher);
    });
  }

  #crashServer(downMs: number, leaseShare: number): void {
    // It may be down, or still opening its disk, after the last crash.
    if (this.server.server === undefined || this.server.closed) return;
    this.#world.trace('the server crashes');
    this.server.crash();
    this.#world.queue.after(downMs, () => {
      this.serverRestarts++;
      this.#world.trace('the server starts again');
      this.server = this.#startServer(this.serverRestarts + 1, leaseShare);
    });
  }
}
