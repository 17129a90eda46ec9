/** I/O: the cacher as a daemon: its core on a UDP socket and on a unix socket for applications. */

import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { decode, encode } from '../protocol/codec.ts';
import { DroppedSends } from '../protocol/dropped_sends.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import { SERVER, type NodeId } from '../protocol/ids.ts';
import { channelOf, priorityOf, type Message } from '../protocol/messages.ts';
import { filesInWords } from '../protocol/stopping.ts';
import { LinkSocket } from '../rudp/link_socket.ts';
import type { Security } from '../rudp/security.ts';
import type { PeerEvent } from '../rudp/peer_links.ts';
import type { Interceptor } from '../rudp/socket_endpoint.ts';
import { ApplicationSocket } from './application_socket.ts';
import * as core from './cacher_core.ts';
import type { Cacher, CacherCommand } from './cacher_state.ts';
import { OtherMembers } from './other_members.ts';
import { COURSE } from './replacement.ts';
import { resolveServer, sourceAddress } from './server_address.ts';

export interface CacherConfig {
  readonly node: NodeId;
  readonly server: { readonly host: string; readonly port: number };
  readonly listen: { readonly host: string; readonly port: number };
  readonly socket: string;
  readonly pages: number;
  readonly writebackIntervalMs: number;
  readonly security: Security;
  /** A folder for qlog files; none are written without it. */
  readonly qlogDir?: string | undefined;
  /** Stands between the socket and rudp, to impair the network. */
  readonly interceptor?: Interceptor | undefined;
  readonly serverWaitMs: number;
  readonly log: Logger;
}

export interface CacherDaemon {
  readonly address: { readonly host: string; readonly port: number };
  /** Resolves when it has stopped; with the error, if one stopped it or not all could be saved. */
  readonly stopped: Promise<Error | undefined>;
  /** Hands every dirty file over and stops; bounded in time. */
  readonly stop: () => void;
}

/** How long a cacher tries to register before it gives up starting. */
const START_LIMIT_MS = 15_000;

const ANY_ADDRESS = '0.0.0.0';
/** How often the name of a server that is out of reach is looked up again. */
const RESOLVE_INTERVAL_MS = 1000;

class Daemon implements CacherDaemon {
  readonly #config: CacherConfig;
  readonly #incarnation = Date.now();
  #cacher: Cacher | undefined;
  #socket: LinkSocket | undefined;
  #applications: ApplicationSocket | undefined;
  readonly #others: OtherMembers;
  #timer: NodeJS.Timeout | undefined;
  readonly #dropped = new DroppedSends();
  #serverAddress = '';
  #looking: NodeJS.Timeout | undefined;
  #ended = false;
  #starting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #resolveStopped: (error: Error | undefined) => void = () => undefined;
  readonly stopped = new Promise<Error | undefined>((resolve) => {
    this.#resolveStopped = resolve;
  });

  constructor(config: CacherConfig) {
    this.#config = config;
    this.#others = new OtherMembers(config.node);
  }

  get address(): { host: string; port: number } {
    return { host: this.#config.listen.host, port: this.#socket?.port ?? 0 };
  }

  /** Listens, registers with the file server, and then takes applications. */
  async start(): Promise<void> {
    const { server, listen, socket: path, log, node, pages } = this.#config;
    this.#applications = await ApplicationSocket.listen(path, {
      message: (link, message) => {
        this.#guard((cacher) => {
          core.handleApplication(cacher, link, message, performance.now());
        });
      },
      closed: (link) => {
        this.#guard((cacher) => {
          core.handleApplicationClosed(cacher, link, performance.now());
        });
      },
    });
    try {
      this.#socket = await this.#bind();
      const address = await resolveServer(server);
      const everywhere = listen.host === ANY_ADDRESS;
      const host = everywhere ? ((await sourceAddress(address)) ?? listen.host) : listen.host;
      const options = {
        node,
        incarnation: this.#incarnation,
        address: `${host}:${this.#socket.port}`,
        pages,
        writebackIntervalMs: this.#config.writebackIntervalMs,
        serverWaitMs: this.#config.serverWaitMs,
        policy: COURSE,
      };
      this.#cacher = core.newCacher(options, performance.now());
      await this.#register(address);
    } catch (error) {
      const failure = error instanceof FsError ? error : new FsError('EINVAL', messageOf(error));
      this.#end(failure);
      await this.stopped;
      throw failure;
    }
    this.#applications.admit();
    log.info({ incarnation: this.#incarnation }, `${node} listens at ${this.#socket.address}`);
  }

  async #bind(): Promise<LinkSocket> {
    const { node, security, listen, interceptor } = this.#config;
    try {
      return await LinkSocket.bind({
        name: node,
        incarnation: this.#incarnation,
        security,
        interceptor,
        ...listen,
        onEvent: (event) => {
          this.#guard((cacher) => {
            this.#linkEvent(cacher, event);
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
      const where = `${listen.host}:${listen.port}`;
      throw new FsError('EBUSY', `cannot listen at ${where}: ${messageOf(error)}`);
    }
  }

  async #register(address: string): Promise<void> {
    let limit: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#starting = { resolve, reject };
        limit = setTimeout(() => {
          const seconds = START_LIMIT_MS / 1000;
          reject(new FsError('ETIMEDOUT', `no file server answers at ${address} for ${seconds} s`));
        }, START_LIMIT_MS);
        this.#serverAddress = address;
        this.#socket?.setPeer(SERVER, address, 'always');
        this.#guard(() => undefined);
      });
    } finally {
      clearTimeout(limit);
      this.#starting = undefined;
    }
  }

  /** A server that is started anew may have another address by now: services in a swarm do. */
  async #lookForServer(): Promise<void> {
    const address = await resolveServer(this.#config.server).catch(() => undefined);
    if (address === undefined || address === this.#serverAddress || this.#ended) return;
    this.#config.log.info(`the file server is at ${address} now`);
    this.#serverAddress = address;
    this.#socket?.setPeer(SERVER, address, 'always');
  }

  #whileServerIsAway(isAway: boolean): void {
    clearInterval(this.#looking);
    if (!isAway) return;
    this.#looking = setInterval(() => void this.#lookForServer(), RESOLVE_INTERVAL_MS);
  }

  stop(): void {
    this.#guard((cacher) => {
      core.handleStop(cacher, performance.now());
    });
  }

  /** Runs a step of the core and all that follows from it; a broken invariant stops the daemon. */
  #guard(step: (cacher: Cacher) => void): void {
    const cacher = this.#cacher;
    if (this.#ended || cacher === undefined) return;
    try {
      step(cacher);
      for (let next = core.pollCommand(cacher); next; next = core.pollCommand(cacher)) {
        this.#perform(next);
      }
      this.#armTimer(cacher);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(messageOf(error)));
    }
  }

  #perform(command: CacherCommand): void {
    switch (command.do) {
      case 'send':
        this.#send(command.to, command.message);
        break;
      case 'reply':
        this.#applications?.send(command.to, command.message);
        break;
      case 'peers':
        if (this.#socket !== undefined) this.#others.follow(command.members, this.#socket);
        break;
      case 'registered':
        this.#warnOfSize();
        this.#starting?.resolve();
        break;
      case 'refused':
        this.#starting?.reject(new FsError(command.code, command.text));
        break;
      case 'log':
        this.#config.log[command.level](command.text);
        break;
      case 'stop':
        this.#end(command.complete ? undefined : this.#unsavedError());
        break;
      default:
        command satisfies never;
    }
  }

  /** What a link does not take is asked for again, or sent again by a timer of the core. */
  #send(to: NodeId, message: Message): void {
    const bytes = encode(message);
    const taken = this.#socket?.send(to, channelOf(message), bytes, priorityOf(message)) ?? true;
    const line = taken ? undefined : this.#dropped.add(to, message.type, performance.now());
    if (line !== undefined) this.#config.log.warn(line);
  }

  #unsavedError(): FsError {
    const files = this.#cacher === undefined ? [] : core.unsavedFiles(this.#cacher);
    const what =
      files.length === 0 ? 'the server did not let it go' : `${filesInWords(files)} stayed here`;
    return new FsError('ETIMEDOUT', `not everything could be handed over: ${what}`);
  }

  /** A memory that is too small for one file is no error, but hardly what was meant. */
  #warnOfSize(): void {
    const { pages, log } = this.#config;
    const blocks = this.#cacher?.registration?.geometry.blocksPerFile ?? 0;
    if (pages >= blocks) return;
    log.warn(
      `--pages is ${pages}, a file has ${blocks} blocks: nothing will be kept in this memory`,
    );
  }

  #linkEvent(cacher: Cacher, event: PeerEvent): void {
    const now = performance.now();
    if (event.type === 'stranger') {
      this.#config.log.warn(`${event.address} is no member: ${event.reason}`);
      return;
    }
    // A peer that has dialled us before the server named it still has its life in its name.
    const peer = event.peer.split('#', 1)[0] as NodeId;
    // The file server is at the other end of the link that we dialled: nobody else speaks for it.
    if (peer === SERVER && event.peer !== SERVER) return;
    if (peer === SERVER && event.type !== 'message') this.#whileServerIsAway(event.type === 'down');
    switch (event.type) {
      case 'up':
        core.handlePeerUp(cacher, peer, now);
        break;
      case 'down':
        core.handlePeerDown(cacher, peer, now);
        break;
      case 'message':
        try {
          core.handleMessage(cacher, peer, decode(event.message), now);
        } catch (error) {
          if (!(error instanceof FsError)) throw error;
          this.#config.log.warn({ peer }, `a message is dropped: ${error.message}`);
        }
        break;
      default:
        event satisfies never;
    }
  }

  #armTimer(cacher: Cacher): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    const delayMs = Math.max(0, core.nextTimeout(cacher) - performance.now());
    this.#timer = setTimeout(() => {
      this.#guard(() => {
        core.handleTimeout(cacher, performance.now());
      });
    }, delayMs);
  }

  #end(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    clearInterval(this.#looking);
    const { log, node } = this.#config;
    if (error === undefined) log.info(`${node} has stopped`);
    else log.fatal({ err: error }, error.message);
    this.#starting?.reject(error ?? new FsError('ESHUTDOWN', 'stopped before it had started'));
    const closing = this.#socket?.close(`${node} has stopped`);
    void Promise.allSettled([closing, this.#applications?.close()]).then(() => {
      this.#resolveStopped(error);
    });
  }
}

/** Starts a cacher; resolves once it is registered. Throws FsError if it is refused or cannot be. */
export const startCacher = async (config: CacherConfig): Promise<CacherDaemon> => {
  const daemon = new Daemon(config);
  await daemon.start();
  return daemon;
};
