/** I/O: the file server as a daemon: its core on a UDP socket, its disk core on an image file. */

import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { decode, encode } from '../protocol/codec.ts';
import { DroppedSends } from '../protocol/dropped_sends.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import { SERVER, type OpenPolicy } from '../protocol/ids.ts';
import { channelOf, priorityOf, type Message } from '../protocol/messages.ts';
import { filesInWords } from '../protocol/stopping.ts';
import { LinkSocket } from '../rudp/link_socket.ts';
import type { Security } from '../rudp/security.ts';
import type { PeerEvent } from '../rudp/peer_links.ts';
import type { Interceptor } from '../rudp/socket_endpoint.ts';
import type { DegradedPolicy } from './degraded.ts';
import { DiskCore, type DiskEvent } from './disk/disk_core.ts';
import { ImageFile } from './disk/image_file.ts';
import { RECOVERIES_AT_ONCE } from './recovery_turns.ts';
import * as core from './server_core.ts';
import type { Server, ServerCommand } from './server_state.ts';

export interface FileServerConfig {
  readonly disk: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly openPolicy: OpenPolicy;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly marginMs: number;
  readonly lostAfterMs: number;
  /** In how long the scrub reads and checks the whole disk once. */
  readonly scrubMs: number;
  readonly degradedPolicy: DegradedPolicy;
  /** Blocks of files that the server keeps in its own memory. */
  readonly cachePages: number;
  readonly security: Security;
  /** A folder for qlog files; none are written without it. */
  readonly qlogDir?: string | undefined;
  /** Stands between the socket and rudp, to impair the network. */
  readonly interceptor?: Interceptor | undefined;
  readonly log: Logger;
}

export interface FileServer {
  readonly address: { readonly host: string; readonly port: number };
  /** Resolves when it has stopped; with the error, if one stopped it or not all could be saved. */
  readonly stopped: Promise<Error | undefined>;
  /** Writes every dirty file back, syncs, and stops; bounded in time. */
  readonly stop: () => void;
}

/** Node's timers cannot be set further ahead. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** The token of the commit that records the new cluster epoch; the core's own start at 1. */
const EPOCH_TOKEN = 0;

class Daemon implements FileServer {
  readonly #config: FileServerConfig;
  readonly #image: ImageFile;
  readonly #disk = new DiskCore();
  #opened: Extract<DiskEvent, { type: 'opened' }> | undefined;
  #server: Server | undefined;
  #socket: LinkSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #dropped = new DroppedSends();
  /** Why an orderly stop could not save everything. */
  #unsaved: FsError | undefined;
  #ended = false;
  #starting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #resolveStopped: (error: Error | undefined) => void = () => undefined;
  readonly stopped = new Promise<Error | undefined>((resolve) => {
    this.#resolveStopped = resolve;
  });

  constructor(config: FileServerConfig, image: ImageFile) {
    this.#config = config;
    this.#image = image;
  }

  get address(): { host: string; port: number } {
    return { host: this.#config.listen.host, port: this.#socket?.port ?? 0 };
  }

  /** Recovers the disk, records the new epoch, and then listens. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#guard(() => {
        this.#disk.open();
      });
    });
    this.#starting = undefined;
    const { host, port } = this.#config.listen;
    try {
      this.#socket = await LinkSocket.bind({
        name: SERVER,
        incarnation: Date.now(),
        security: this.#config.security,
        interceptor: this.#config.interceptor,
        host,
        port,
        onEvent: (event) => {
          this.#guard(() => {
            this.#linkEvent(event);
          });
        },
        onError: (error) => {
          this.#end(error);
        },
        onSmallBuffers: (advice) => {
          this.#config.log.warn(advice);
        },
        qlogDir: this.#config.qlogDir,
        onQlogError: (error) => {
          this.#config.log.warn(error.message);
        },
      });
    } catch (error) {
      this.#ended = true;
      await this.#image.close();
      throw new FsError('EBUSY', `cannot listen at ${host}:${port}: ${messageOf(error)}`);
    }
    const { volumeId, clusterEpoch, replayed } = this.#opened ?? {};
    const fields = { volumeId, epoch: Number(clusterEpoch) + 1, replayed };
    this.#config.log.info(fields, `the file server listens at ${this.#socket.address}`);
  }

  stop(): void {
    this.#guard(() => {
      if (this.#server !== undefined) core.handleStop(this.#server, performance.now());
    });
  }

  /** Runs a step of the cores and all that follows from it; a broken invariant stops the daemon. */
  #guard(step: () => void): void {
    if (this.#ended) return;
    try {
      step();
      this.#drain();
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  #drain(): void {
    const server = this.#server;
    if (server !== undefined) {
      for (let next = core.pollCommand(server); next; next = core.pollCommand(server)) {
        this.#perform(next);
      }
    }
    this.#image.pump(this.#disk, () => {
      this.#guard(() => {
        this.#diskEvents();
      });
    });
    this.#armTimer();
  }

  #perform(command: ServerCommand): void {
    switch (command.do) {
      case 'send':
        this.#send(command.to, command.message);
        break;
      case 'readFile':
        this.#disk.readFile(command.token, command.file);
        break;
      case 'commit':
        this.#disk.commit(command.token, command.records);
        break;
      case 'log':
        this.#config.log[command.level](command.text);
        break;
      case 'stop':
        if (!command.complete) this.#unsaved = this.#unsavedError();
        this.#disk.close();
        break;
      default:
        command satisfies never;
    }
  }

  #send(to: string, message: Message): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    if (socket.send(to, channelOf(message), encode(message), priorityOf(message))) return;
    const line = this.#dropped.add(to, message.type, performance.now());
    if (line !== undefined) this.#config.log.warn(line);
    // Members repeat what they wait for. A direct client would wait for ever: its calls must fail.
    if (this.#server?.clients.has(to) === true) socket.cut(to, 'answers found no room in the link');
  }

  #unsavedError(): FsError {
    const files = this.#server === undefined ? [] : core.dirtyFiles(this.#server);
    const what = `the newest contents of ${filesInWords(files)} are on nodes that did not hand them over`;
    return new FsError('ETIMEDOUT', `not everything is on the disk: ${what}`);
  }

  #linkEvent(event: PeerEvent): void {
    const server = this.#server;
    if (server === undefined) return;
    const now = performance.now();
    if (event.type === 'down') core.handleLinkDown(server, event.peer, now);
    if (event.type === 'stranger') {
      this.#config.log.warn(`${event.address} is no member: ${event.reason}`);
    }
    if (event.type !== 'message') return;
    try {
      const message = decode(event.message);
      core.handleMessage(server, event.peer, message, now);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      this.#config.log.warn({ peer: event.peer }, `a message is dropped: ${error.message}`);
    }
  }

  #diskEvents(): void {
    for (let event = this.#disk.pollEvent(); event; event = this.#disk.pollEvent()) {
      this.#diskEvent(event);
    }
  }

  #diskEvent(event: DiskEvent): void {
    const now = performance.now();
    switch (event.type) {
      case 'opened': {
        this.#opened = event;
        const { clusterEpoch } = event;
        // Leases of earlier lives are over, or are waited for, before any of this life is granted.
        const longestLeaseMs = Math.max(event.longestLeaseMs, this.#config.leaseMs);
        const record = { kind: 'epoch', clusterEpoch: clusterEpoch + 1, longestLeaseMs } as const;
        this.#disk.commit(EPOCH_TOKEN, [record]);
        break;
      }
      case 'committed':
        if (event.token === EPOCH_TOKEN) this.#serve();
        else if (this.#server !== undefined) core.handleCommitted(this.#server, event.token, now);
        break;
      case 'file':
        if (this.#server !== undefined) {
          core.handleFileRead(this.#server, event.token, event.bytes, now);
        }
        break;
      case 'readFailed':
        this.#config.log.error({ file: event.file }, event.reason);
        if (this.#server !== undefined) {
          core.handleFileRead(this.#server, event.token, event.reason, now);
        }
        break;
      case 'refused':
        this.#end(new FsError('EINVAL', `${this.#config.disk}: ${event.reason}`));
        break;
      case 'failed':
        this.#end(new FsError('EIO', `${this.#config.disk}: ${event.reason}`));
        break;
      case 'closed':
        this.#end(this.#unsaved);
        break;
      default:
        event satisfies never;
    }
  }

  /** The new epoch is on the disk: no order of an earlier life can be mistaken for one of this. */
  #serve(): void {
    const opened = this.#opened;
    if (opened === undefined) return;
    const { openPolicy, heartbeatMs, leaseMs, marginMs, lostAfterMs } = this.#config;
    const { scrubMs, degradedPolicy, cachePages } = this.#config;
    const { geometry, clusterEpoch } = opened;
    const options = {
      geometry,
      epoch: clusterEpoch + 1,
      openPolicy,
      heartbeatMs,
      leaseMs,
      marginMs,
      lostAfterMs,
      scrubMs,
      degradedPolicy,
      recoveriesAtOnce: RECOVERIES_AT_ONCE,
    };
    this.#server = core.newServer(options, cachePages, (file) => this.#disk.meta(file));
    core.startQuiet(this.#server, opened.longestLeaseMs, performance.now());
    core.restoreMarks(this.#server, this.#disk.markedFiles());
    core.restoreLosses(this.#server, this.#disk.filesWithLosses());
    this.#starting?.resolve();
  }

  #armTimer(): void {
    const server = this.#server;
    clearTimeout(this.#timer);
    if (server === undefined || this.#ended) return;
    const due = core.nextTimeout(server);
    if (due === Infinity) return;
    const delayMs = Math.min(Math.max(0, due - performance.now()), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.#guard(() => {
        core.handleTimeout(server, performance.now());
      });
    }, delayMs);
  }

  #end(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    if (error === undefined) this.#config.log.info('the file server has stopped');
    else this.#config.log.fatal({ err: error }, error.message);
    const closing = this.#socket?.close('the file server has stopped');
    void Promise.allSettled([closing, this.#image.close()]).then(() => {
      this.#starting?.reject(error ?? new FsError('ESHUTDOWN', 'stopped before it had started'));
      this.#resolveStopped(error);
    });
  }
}

/** Opens the disk, recovers it and listens. Throws FsError: no such image, in use, not usable. */
export const startFileServer = async (config: FileServerConfig): Promise<FileServer> => {
  const daemon = new Daemon(config, await ImageFile.open(config.disk));
  await daemon.start();
  return daemon;
};
