/** A cacher in the simulator: the same core, virtual time; its applications are called directly. */

import { newCacher } from '../../cacher/cacher_core.ts';
import * as core from '../../cacher/cacher_core.ts';
import type { Cacher, CacherCommand } from '../../cacher/cacher_state.ts';
import { OtherMembers } from '../../cacher/other_members.ts';
import { COURSE } from '../../cacher/replacement.ts';
import { decode, encode } from '../../protocol/codec.ts';
import { SERVER, type NodeId } from '../../protocol/ids.ts';
import { channelOf, priorityOf, type Message } from '../../protocol/messages.ts';
import { describe } from './simulated_server.ts';
import { fail, type Links, type World } from './world.ts';

export interface CacherSettings {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly pages: number;
  readonly writebackIntervalMs: number;
  readonly serverWaitMs: number;
  /** How fast its clock goes, 1 for as fast as time, and where it started. */
  readonly clockRate: number;
  readonly clockOffsetMs: number;
}

export class SimulatedCacher {
  readonly #world: World;
  readonly #links: Links;
  readonly cacher: Cacher;
  readonly #others: OtherMembers;
  readonly #applications = new Map<string, (message: Message) => void>();
  #timerMs = Infinity;
  #pausedUntilMs = 0;
  readonly #rate: number;
  readonly #offsetMs: number;
  ready = false;
  stopped = false;
  /** It has been told to stop in order. */
  leaving = false;
  onReady: () => void = () => undefined;
  /** After an orderly stop, `complete` if everything was handed over. */
  onStopped: (complete: boolean) => void = () => undefined;

  constructor(world: World, settings: CacherSettings) {
    this.#world = world;
    const { node, incarnation } = settings;
    const options = { ...settings, address: node, policy: COURSE };
    this.#others = new OtherMembers(node);
    this.#rate = settings.clockRate;
    this.#offsetMs = settings.clockOffsetMs;
    this.cacher = newCacher(options, this.now);
    this.#links = world.network(node, incarnation, {
      up: (peer) => {
        this.#run(() => {
          core.handlePeerUp(this.cacher, nodeOf(peer), this.now);
        });
      },
      down: (peer) => {
        this.#run(() => {
          core.handlePeerDown(this.cacher, nodeOf(peer), this.now);
        });
      },
      message: (peer, bytes) => {
        this.#run(() => {
          const message = decode(bytes);
          world.trace(`${nodeOf(peer)} > ${node} ${describe(message)}`);
          core.handleMessage(this.cacher, nodeOf(peer), message, this.now);
        });
      },
    });
    this.#links.setPeer(SERVER, SERVER, 'always');
    this.#drain();
  }

  get node(): NodeId {
    return this.cacher.options.node;
  }

  /** Connects an application; its answers go to `listener`. */
  connect(link: string, listener: (message: Message) => void): void {
    this.#applications.set(link, listener);
    this.request(link, { type: 'hello', protocol: 1 });
  }

  request(link: string, message: Message): void {
    this.#run(() => {
      core.handleApplication(this.cacher, link, message, this.now);
    });
  }

  disconnect(link: string): void {
    this.#applications.delete(link);
    this.#run(() => {
      core.handleApplicationClosed(this.cacher, link, this.now);
    });
  }

  /** The process dies with all it holds. */
  crash(): void {
    this.stopped = true;
    this.#links.kill();
  }

  /** The process stands still, as on SIGSTOP: it hears nothing, its clock goes on. */
  pause(forMs: number): void {
    this.#pausedUntilMs = this.#world.queue.now + forMs;
    this.#links.pause(this.#pausedUntilMs);
  }

  /** Runs a step now, or when the process goes on. */
  #run(step: () => void): void {
    const { queue } = this.#world;
    if (queue.now < this.#pausedUntilMs) {
      queue.at(this.#pausedUntilMs, () => {
        this.#run(step);
      });
    } else if (!this.stopped) {
      step();
      this.#drain();
    }
  }

  /** This node's clock: it drifts, and counts from another moment. */
  get now(): number {
    return this.#world.queue.now * this.#rate + this.#offsetMs;
  }

  stop(): void {
    this.leaving = true;
    this.#run(() => {
      core.handleStop(this.cacher, this.now);
    });
  }

  #drain(): void {
    const { cacher } = this;
    for (let command = core.pollCommand(cacher); command; command = core.pollCommand(cacher)) {
      this.#perform(command);
    }
    const due = (core.nextTimeout(cacher) - this.#offsetMs) / this.#rate;
    if (due >= this.#timerMs || this.stopped) return;
    this.#timerMs = due;
    // A shade later than due: the node's own clock, computed from it, must have reached it.
    this.#world.queue.at(due + 1e-6, () => {
      this.#timerMs = Infinity;
      this.#run(() => {
        core.handleTimeout(cacher, this.now);
      });
    });
  }

  #perform(command: CacherCommand): void {
    switch (command.do) {
      case 'send':
        this.#links.send(
          command.to,
          channelOf(command.message),
          encode(command.message),
          priorityOf(command.message),
        );
        break;
      case 'reply': {
        const { to, message } = command;
        // Through the codec, as on a unix socket, and later: an answer never comes within the call.
        const bytes = encode(message);
        this.#world.queue.after(0, () => this.#applications.get(to)?.(decode(bytes)));
        break;
      }
      case 'peers':
        this.#others.follow(command.members, this.#links);
        break;
      case 'registered':
        this.ready = true;
        this.onReady();
        break;
      case 'refused':
        fail(`${this.node} was refused: ${command.text}`);
        break;
      case 'log':
        this.#world.trace(`${this.node}: ${command.text}`);
        break;
      case 'stop':
        this.stopped = true;
        this.#links.stop();
        this.onStopped(command.complete);
        break;
      default:
        command satisfies never;
    }
  }
}

/** Links that the other side dialled are named "node#incarnation". */
const nodeOf = (peer: string): NodeId => (peer.split('#')[0] ?? peer) as NodeId;
