/** I/O: the link straight to the file server, messages over rudp; nothing is cached on its way. */

import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { decode, encode } from '../protocol/codec.ts';
import { FsError, messageOf } from '../protocol/errors.ts';
import { channelOf, type Message } from '../protocol/messages.ts';
import { RudpEndpoint, RudpError, type RudpConnection, type Security } from '../rudp/index.ts';
import { InFlight } from './in_flight.ts';
import type { Dial, Link, LinkEvents } from './link.ts';

const LAST_PORT = 65_535;
const IPV4 = 4;
const NAME_BYTES = 6;
/** How long a closed link may wait for the server to acknowledge what it was sent. */
const FLUSH_MS = 1000;

/** The parts of "host:port". Throws FsError EINVAL. */
export const parseAddress = (address: string): { host: string; port: number } => {
  const [, host, digits] = /^([^:\s]+):(\d{1,5})$/u.exec(address) ?? [];
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= LAST_PORT)) {
    const right = `must be host:port, with a port of 1 to ${LAST_PORT}`;
    throw new FsError('EINVAL', `the server is ${JSON.stringify(address)}, ${right}`);
  }
  return { host, port };
};

const bind = (ip: string, security: Security, timeoutMs: number): Promise<RudpEndpoint> =>
  RudpEndpoint.bind({
    ...security,
    // A socket bound to the loopback interface reaches nothing else.
    host: ip.startsWith('127.') ? '127.0.0.1' : '0.0.0.0',
    // Any number of clients may run on one machine: each needs a name of its own.
    name: `client-${randomBytes(NAME_BYTES).toString('hex')}`,
    handshakeTimeoutMs: timeoutMs,
  });

/** Hands over what comes in, until the connection ends; its socket is of no use after that. */
const listen = async (
  endpoint: RudpEndpoint,
  connection: RudpConnection,
  address: string,
  events: LinkEvents,
  link: ServerLink,
): Promise<void> => {
  try {
    for await (const { message: bytes } of connection) {
      const message = decode(bytes);
      link.answered(message);
      events.onMessage(message);
    }
    const reason = connection.closed?.reason ?? 'it is closed';
    const what = `the connection to the file server at ${address} is lost: ${reason}`;
    events.onLost(new FsError('ECONNLOST', what));
  } catch (error) {
    events.onLost(error instanceof FsError ? error : new FsError('EPROTO', messageOf(error)));
  }
  await endpoint.close(0);
};

/** Sends one message after the other: one that waits for room in the transport holds back the next. */
class Sender {
  readonly #connection: RudpConnection;
  readonly #queue: { readonly bytes: Uint8Array; readonly channel: number }[] = [];
  #sending: Promise<void> | undefined;

  constructor(connection: RudpConnection) {
    this.#connection = connection;
  }

  push(message: Message): void {
    this.#queue.push({ bytes: encode(message), channel: channelOf(message) });
    this.#sending ??= this.#run();
  }

  async finished(): Promise<void> {
    await this.#sending;
  }

  async #run(): Promise<void> {
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        await this.#connection.send(next.bytes, { channel: next.channel });
      }
    } catch {
      // The connection has ended: whoever listens to it is told why.
      this.#queue.length = 0;
    }
    this.#sending = undefined;
  }
}

interface ServerLink extends Link {
  /** To be told of every message of the server: it may make room for what is held back. */
  answered(message: Message): void;
}

const linkOver = (endpoint: RudpEndpoint, connection: RudpConnection): ServerLink => {
  const sender = new Sender(connection);
  const inFlight = new InFlight();
  return {
    send: (message) => {
      for (const next of inFlight.push(message)) sender.push(next);
    },
    answered: (message) => {
      for (const next of inFlight.answered(message)) sender.push(next);
    },
    hold: () => {
      // The transport has timers of its own; it keeps the process alive until it is closed.
    },
    close: async () => {
      for (const next of inFlight.rest()) sender.push(next);
      await sender.finished();
      await endpoint.close(FLUSH_MS);
    },
  };
};

/**
 * Dials the file server at "host:port", for at most `timeoutMs`. Such a link keeps the process alive
 * until it is closed. Throws FsError EINVAL for what is no address.
 */
export const fileServer = (address: string, security: Security, timeoutMs: number): Dial => {
  const { host, port } = parseAddress(address);
  return async (events) => {
    let endpoint: RudpEndpoint | undefined;
    try {
      const ip = isIPv4(host) ? host : (await lookup(host, { family: IPV4 })).address;
      endpoint = await bind(ip, security, timeoutMs);
      const connection = await endpoint.connect(ip, port);
      const link = linkOver(endpoint, connection);
      void listen(endpoint, connection, address, events, link);
      return link;
    } catch (error) {
      await endpoint?.close(0);
      if (error instanceof RudpError && error.code === 'invalid') {
        throw new FsError('EINVAL', error.message);
      }
      throw new FsError('ECONNLOST', `no file server answers at ${address}: ${messageOf(error)}`);
    }
  };
};
