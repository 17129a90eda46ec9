/** The file server in the simulator: the same core and disk core, a fake disk, virtual time. */

import { decode, encode } from '../../protocol/codec.ts';
import { SERVER, type NodeId } from '../../protocol/ids.ts';
import { channelOf, priorityOf } from '../../protocol/messages.ts';
import { DiskCore, type DiskCommand } from '../../fileserver/disk/disk_core.ts';
import * as core from '../../fileserver/server_core.ts';
import type { Server, ServerCommand } from '../../fileserver/server_state.ts';
import type { FakeDisk } from '../fileserver/disk/fake_disk.ts';
import type { Damage } from './damage.ts';
import type { SimulationOptions } from './simulation_options.ts';
import { fail, type Links, type World } from './world.ts';

/** A read takes up to this, a sync too; writes are buffered. */
const DISK_MS = 4;
const HEARTBEAT_MS = 100;
/** A margin is a quarter of the lease; so often a node beats within a lease at least. */
const LEASE_PARTS = 4;
const LOST_AFTER_MS = 60_000;
/** Every file several times a run. */
const SCRUB_MS = 400;
/** The token of the commit that records the new epoch; the core's own start at 1. */
const EPOCH_TOKEN = 0;

interface Policies extends Pick<
  SimulationOptions,
  'openPolicy' | 'degradedPolicy' | 'recoveriesAtOnce'
> {
  /** Its leases are so many times the run's. */
  readonly leaseShare: number;
}

export class SimulatedServer {
  readonly #world: World;
  readonly #fakeDisk: FakeDisk;
  readonly #damage: Damage;
  readonly disk = new DiskCore();
  #links: Links | undefined;
  readonly #policies: Policies;
  readonly #incarnation: number;
  readonly #cachePages: number;
  #timerMs = Infinity;
  #pausedUntilMs = 0;
  #diskSlowUntilMs = 0;
  server: Server | undefined;
  closed = false;
  #starting: () => void = () => undefined;

  #now(): number {
    return this.#world.queue.now;
  }

  constructor(
    world: World,
    fakeDisk: FakeDisk,
    damage: Damage,
    policies: Policies,
    cachePages: number,
    incarnation: number,
  ) {
    this.#incarnation = incarnation;
    this.#world = world;
    this.#fakeDisk = fakeDisk;
    this.#damage = damage;
    this.#policies = policies;
    this.#cachePages = cachePages;
    this.disk.open();
    this.#drainDisk();
  }

  /** Only a server that has its disk open can be reached. */
  #listen(): void {
    const { network, queue } = this.#world;
    this.#links = network(SERVER, this.#incarnation, {
      up: () => undefined,
      down: (peer) => {
        this.#run(() => {
          if (this.server === undefined) return;
          core.handleLinkDown(this.server, peer, queue.now);
          this.#drain();
        });
      },
      message: (peer, bytes) => {
        this.#run(() => {
          this.#receive(peer, bytes);
        });
      },
    });
  }

  #receive(peer: string, bytes: Uint8Array): void {
    if (this.server === undefined || this.closed) return;
    const message = decode(bytes);
    this.#world.trace(`${peer} > server ${describe(message)}`);
    core.handleMessage(this.server, peer, message, this.#world.queue.now);
    this.#drain();
  }

  /** The process dies: what it had not synced may be lost with the power, or not. */
  crash(): void {
    this.closed = true;
    this.#links?.kill();
    this.#fakeDisk.crash();
    this.#damage.crashed();
  }

  /** Of the leases that this life gives. */
  get leaseMs(): number {
    return this.#world.leaseMs * this.#policies.leaseShare;
  }

  /** The process stands still: nothing is heard, no timer fires; its clock goes on. */
  pause(forMs: number): void {
    this.#pausedUntilMs = this.#world.queue.now + forMs;
    this.#links?.pause(this.#pausedUntilMs);
  }

  /** What is asked of the disk from now on is answered after that. */
  slowDisk(forMs: number): void {
    this.#diskSlowUntilMs = this.#world.queue.now + forMs;
  }

  /** Runs a step now, or when the process goes on. */
  #run(step: () => void): void {
    const { queue } = this.#world;
    if (queue.now < this.#pausedUntilMs) {
      queue.at(this.#pausedUntilMs, () => {
        this.#run(step);
      });
    } else if (!this.closed) {
      step();
    }
  }

  /** An operator gives a node up. */
  forget(node: NodeId): void {
    this.#run(() => {
      if (this.server === undefined) return;
      const message = { type: 'forget', request: 1, node } as const;
      core.handleMessage(this.server, 'operator', message, this.#now());
      this.#drain();
    });
  }

  stop(): void {
    if (this.server === undefined) fail('the server is stopped before it is open');
    else core.handleStop(this.server, this.#world.queue.now);
    this.#drain();
  }

  #drain(): void {
    const { server } = this;
    if (server === undefined) return;
    for (let command = core.pollCommand(server); command; command = core.pollCommand(server)) {
      this.#perform(command);
    }
    this.#drainDisk();
    const due = core.nextTimeout(server);
    if (due >= this.#timerMs || this.closed) return;
    this.#timerMs = due;
    this.#world.queue.at(due, () => {
      this.#timerMs = Infinity;
      this.#run(() => {
        core.handleTimeout(server, this.#world.queue.now);
        this.#drain();
      });
    });
  }

  #perform(command: ServerCommand): void {
    switch (command.do) {
      case 'send':
        if (command.message.type === 'failed' && command.message.code === 'EIO') {
          this.#checkRefused(command.message.message);
        }
        this.#links?.send(
          command.to,
          channelOf(command.message),
          encode(command.message),
          priorityOf(command.message),
        );
        break;
      case 'readFile':
        this.disk.readFile(command.token, command.file);
        break;
      case 'commit':
        this.disk.commit(command.token, command.records);
        break;
      case 'log':
        this.#world.trace(`server: ${command.text}`);
        break;
      case 'stop':
        this.disk.close();
        break;
      default:
        command satisfies never;
    }
  }

  #checkRefused(reason: string): void {
    if (this.server !== undefined) this.#damage.checkRefused(this.server, reason);
  }

  #drainDisk(): void {
    const { queue, random } = this.#world;
    for (let command = this.disk.pollCommand(); command; command = this.disk.pollCommand()) {
      const issued: DiskCommand = command;
      const doneMs = Math.max(queue.now + random() * DISK_MS, this.#diskSlowUntilMs);
      queue.at(issued.do === 'write' ? queue.now : doneMs, () => {
        this.#run(() => {
          this.#complete(issued);
        });
      });
    }
    for (let event = this.disk.pollEvent(); event; event = this.disk.pollEvent()) {
      const { server } = this;
      if (event.type === 'opened') {
        const { leaseMs } = this;
        const options = {
          geometry: event.geometry,
          epoch: event.clusterEpoch + 1,
          openPolicy: this.#policies.openPolicy,
          heartbeatMs: Math.min(HEARTBEAT_MS, leaseMs / LEASE_PARTS),
          leaseMs,
          marginMs: leaseMs / LEASE_PARTS,
          lostAfterMs: LOST_AFTER_MS,
          scrubMs: SCRUB_MS,
          degradedPolicy: this.#policies.degradedPolicy,
          recoveriesAtOnce: this.#policies.recoveriesAtOnce,
        };
        const { clusterEpoch, longestLeaseMs } = event;
        const record = {
          kind: 'epoch',
          clusterEpoch: clusterEpoch + 1,
          longestLeaseMs: Math.max(leaseMs, longestLeaseMs),
        } as const;
        this.disk.commit(EPOCH_TOKEN, [record]);
        this.#starting = () => {
          this.server = core.newServer(options, this.#cachePages, (file) => this.disk.meta(file));
          core.startQuiet(this.server, longestLeaseMs, this.#now());
          core.restoreMarks(this.server, this.disk.markedFiles());
          core.restoreLosses(this.server, this.disk.filesWithLosses());
          this.#world.trace(`server: open, epoch ${options.epoch}`);
          this.#listen();
        };
        this.#drainDisk();
      } else if (event.type === 'committed' && event.token === EPOCH_TOKEN) {
        this.#starting();
        this.#drain();
      } else if (event.type === 'closed') {
        this.closed = true;
        this.#links?.stop();
      } else if (event.type === 'refused' || event.type === 'failed') {
        fail(`disk: ${event.reason}`);
      } else if (server !== undefined) {
        if (event.type === 'file') core.handleFileRead(server, event.token, event.bytes, queue.now);
        if (event.type === 'readFailed') {
          this.#damage.checkFound(event.file, event.reason);
          core.handleFileRead(server, event.token, event.reason, queue.now);
        }
        if (event.type === 'committed') core.handleCommitted(server, event.token, queue.now);
        this.#drain();
      }
    }
  }

  #complete(command: DiskCommand): void {
    if (this.closed) return;
    const completion = this.#fakeDisk.execute(command);
    if (command.do === 'write') this.#damage.written(command.offset, command.bytes.length);
    if (completion.result === 'read') this.disk.handleRead(completion.token, completion.bytes);
    if (completion.result === 'written') this.disk.handleWritten(completion.token);
    if (completion.result === 'synced') this.disk.handleSynced(completion.token);
    this.#drainDisk();
  }
}

/** A message in one line of the trace: its type and its short fields. */
export const describe = (message: object): string =>
  JSON.stringify(message, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return `${value.length} B`;
    return typeof value === 'object' && value !== null && 'type' in value && 'data' in value
      ? 'B'
      : value;
  });
