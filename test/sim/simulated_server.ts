/** The file server in the simulator: the same core and disk core, a fake disk, virtual time. */

import { decode, encode } from '../../protocol/codec.ts';
import { SERVER } from '../../protocol/ids.ts';
import { channelOf } from '../../protocol/messages.ts';
import { DiskCore, type DiskCommand } from '../../fileserver/disk/disk_core.ts';
import * as core from '../../fileserver/server_core.ts';
import type { Server, ServerCommand } from '../../fileserver/server_state.ts';
import type { OpenPolicy } from '../../protocol/ids.ts';
import type { FakeDisk } from '../fileserver/disk/fake_disk.ts';
import { fail, type Links, type World } from './world.ts';

/** A read takes up to this, a sync too; writes are buffered. */
const DISK_MS = 4;
const HEARTBEAT_MS = 100;

export class SimulatedServer {
  readonly #world: World;
  readonly #fakeDisk: FakeDisk;
  readonly disk = new DiskCore();
  #links: Links | undefined;
  readonly #openPolicy: OpenPolicy;
  readonly #cachePages: number;
  #timerMs = Infinity;
  server: Server | undefined;
  closed = false;

  constructor(world: World, fakeDisk: FakeDisk, openPolicy: OpenPolicy, cachePages: number) {
    this.#world = world;
    this.#fakeDisk = fakeDisk;
    this.#openPolicy = openPolicy;
    this.#cachePages = cachePages;
    this.disk.open();
    this.#drainDisk();
  }

  /** Only a server that has its disk open can be reached. */
  #listen(): void {
    const { network, queue } = this.#world;
    this.#links = network(SERVER, 1, {
      up: () => undefined,
      down: (peer) => {
        if (this.server === undefined || this.closed) return;
        core.handleLinkDown(this.server, peer, queue.now);
        this.#drain();
      },
      message: (peer, bytes) => {
        this.#receive(peer, bytes);
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
      if (this.closed) return;
      core.handleTimeout(server, this.#world.queue.now);
      this.#drain();
    });
  }

  #perform(command: ServerCommand): void {
    switch (command.do) {
      case 'send':
        this.#links?.send(command.to, channelOf(command.message), encode(command.message));
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

  #drainDisk(): void {
    const { queue, random } = this.#world;
    for (let command = this.disk.pollCommand(); command; command = this.disk.pollCommand()) {
      const issued: DiskCommand = command;
      queue.after(issued.do === 'write' ? 0 : random() * DISK_MS, () => {
        this.#complete(issued);
      });
    }
    for (let event = this.disk.pollEvent(); event; event = this.disk.pollEvent()) {
      const { server } = this;
      if (event.type === 'opened') {
        const options = {
          geometry: event.geometry,
          epoch: event.clusterEpoch + 1,
          openPolicy: this.#openPolicy,
          heartbeatMs: HEARTBEAT_MS,
        };
        this.server = core.newServer(options, this.#cachePages, (file) => this.disk.meta(file));
        this.#world.trace('server: open');
        this.#listen();
      } else if (event.type === 'closed') {
        this.closed = true;
        this.#links?.stop();
      } else if (event.type === 'refused' || event.type === 'failed') {
        fail(`disk: ${event.reason}`);
      } else if (server !== undefined) {
        if (event.type === 'file') core.handleFileRead(server, event.token, event.bytes, queue.now);
        if (event.type === 'readFailed') fail(`disk: ${event.reason}`);
        if (event.type === 'committed') core.handleCommitted(server, event.token, queue.now);
        this.#drain();
      }
    }
  }

  #complete(command: DiskCommand): void {
    const completion = this.#fakeDisk.execute(command);
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
