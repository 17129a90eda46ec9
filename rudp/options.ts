/** The options of an endpoint: their meanings, defaults and ranges, all resolved here. */

import { isCongestionName, type CongestionName } from './congestion.ts';
import { RudpError } from './errors.ts';
import {
  ETHERNET_DATAGRAM_BYTES,
  MAX_ACK_RANGES,
  MAX_CLUSTER_ID_BYTES,
  MAX_DATAGRAM_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_NAME_BYTES,
  MAX_PACKETS_PER_KEY,
  MESSAGE_OVERHEAD_BYTES,
  MIN_DATAGRAM_BYTES,
} from './limits.ts';
import type { Millis } from './millis.ts';
import type { Observe } from './observer.ts';
import type { Protection } from './protection.ts';

export interface EndpointOptions {
  /** The name the peer learns, 0 to 64 bytes of UTF-8. */
  readonly name: string;
  /** Differs in every life of the process, below 2^53; a later life should have a higher one. */
  readonly incarnation: number;
  /** Peers of another cluster are strangers, whatever their key; up to 255 bytes. Default ''. */
  readonly clusterId?: string;
  readonly protection: Protection;
  /** Uniform in [0, 1). Connection ids come from it: on a socket it must be unpredictable. */
  readonly random: () => number;
  readonly congestion?: CongestionName;
  /** A ping is sent after this long without traffic; 0 for none. Default `idleTimeoutMs` / 4. */
  readonly keepaliveMs?: Millis;
  /**
   * A connection that hears nothing for this long is closed: the time in which a dead peer is
   * noticed. The lesser of both sides holds, but no less than three probe timeouts after something was
   * sent: 300 ms is for round trips of up to 40 ms. Default 10,000 ms.
   */
  readonly idleTimeoutMs?: Millis;
  /** A dial without an answer gives up after this long. Default 5,000 ms. */
  readonly handshakeTimeoutMs?: Millis;
  /** An acknowledgement waits at most this long for company. Default 5 ms. */
  readonly maxAckDelayMs?: Millis;
  /** What the round-trip time is taken for before it is measured. Default 30 ms. */
  readonly initialRttMs?: Millis;
  /** The longest datagram that is sent and accepted, 1,200 to 65,507, the default. */
  readonly maxDatagramBytes?: number;
  /**
   * The longest datagram that the interface towards an address ("10.0.0.1:4000") sends in one
   * piece, up to which longer ones are tried (path_mtu.ts). Default: 1,472 everywhere, an Ethernet's.
   */
  readonly interfaceDatagramBytes?: (address: string) => number;
  /** The longest message accepted from the peer, up to 16 MiB, the default. */
  readonly maxMessageBytes?: number;
  /** Channels with unacknowledged messages at one time, per connection. Default 4,096. */
  readonly maxChannels?: number;
  /** Bytes that `send` takes before the peer has acknowledged them. Default 64 MiB. */
  readonly sendBufferBytes?: number;
  /** Bytes the peer may have under way before our application has taken them. Default 32 MiB. */
  readonly connectionWindowBytes?: number;
  /** Undelivered bytes the peer may have on one channel (or one message). Default 8 MiB. */
  readonly channelWindowBytes?: number;
  /** Packets sealed under one key before it is changed, 2^20 (the default), up to 2^23. */
  readonly keyUpdatePackets?: number;
  /** Age of a key at which it is changed with the next packet. Default 600,000 ms. */
  readonly keyUpdateMs?: Millis;
  /**
   * The part of a path's bandwidth that copies of small messages may take, where the path loses
   * packets (redundancy.ts); 0 for no copies. Default 0.2.
   */
  readonly redundancyShare?: number;
  /** Connections at one time, dialled and accepted; a further hello is refused. Default 4,096. */
  readonly maxConnections?: number;
  /** Of these, accepted clients that have not confirmed yet; a further hello is dropped. Default 256. */
  readonly maxHalfOpen?: number;
  /** Runs of received packet numbers that are remembered per connection. Default 256. */
  readonly maxAckRanges?: number;
  /** False refuses every hello. Default true. */
  readonly accept?: boolean;
  /**
   * Which older connections a new one of the same name but of another incarnation closes: those
   * from its own address ('address', the default: two processes cannot share it), or all ('name').
   */
  readonly supersede?: 'address' | 'name';
  /**
   * When a message counts as taken by the application, so that its credit goes back to the peer:
   * when `pollEvent` yields it ('poll', the default), or when `release` is called ('release').
   */
  readonly credit?: 'poll' | 'release';
  /** Makes an observer for every connection as it begins. Default none. */
  readonly observe?: Observe | undefined;
}

export type ResolvedOptions = Required<EndpointOptions>;

const MAX_MILLIS = 3_600_000;
const DEFAULT_IDLE_TIMEOUT_MS: Millis = 10_000;
const KEEPALIVES_PER_TIMEOUT = 4;
const MAX_WINDOW_BYTES = 2 ** 40;

type NumericOption = {
  [Key in keyof ResolvedOptions]: ResolvedOptions[Key] extends number ? Key : never;
}[keyof ResolvedOptions];

/** Option, least and greatest value. */
const RANGES: readonly (readonly [NumericOption, number, number])[] = [
  ['incarnation', 0, Number.MAX_SAFE_INTEGER],
  ['idleTimeoutMs', 1, MAX_MILLIS],
  ['keepaliveMs', 0, MAX_MILLIS],
  ['handshakeTimeoutMs', 1, MAX_MILLIS],
  ['maxAckDelayMs', 0, 1_000],
  ['initialRttMs', 1, 10_000],
  ['maxDatagramBytes', MIN_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES],
  ['maxMessageBytes', 0, MAX_MESSAGE_BYTES],
  ['maxChannels', 1, 1_000_000],
  ['sendBufferBytes', MESSAGE_OVERHEAD_BYTES, MAX_WINDOW_BYTES],
  ['connectionWindowBytes', MESSAGE_OVERHEAD_BYTES, MAX_WINDOW_BYTES],
  ['channelWindowBytes', MESSAGE_OVERHEAD_BYTES, MAX_WINDOW_BYTES],
  ['keyUpdatePackets', 1, MAX_PACKETS_PER_KEY],
  ['keyUpdateMs', 1, MAX_MILLIS],
  ['redundancyShare', 0, 1],
  ['maxConnections', 1, 1_000_000],
  ['maxHalfOpen', 1, 1_000_000],
  ['maxAckRanges', 2, 65_536],
];

/**
 * Fills in the defaults.
 * @throws RudpError 'invalid' for a value out of its range.
 */
export const resolveOptions = (options: EndpointOptions): ResolvedOptions => {
  const { idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = options;
  const resolved: ResolvedOptions = {
    name: options.name,
    incarnation: options.incarnation,
    clusterId: options.clusterId ?? '',
    protection: options.protection,
    random: options.random,
    congestion: options.congestion ?? 'bbr',
    keepaliveMs: options.keepaliveMs ?? idleTimeoutMs / KEEPALIVES_PER_TIMEOUT,
    idleTimeoutMs,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 5_000,
    maxAckDelayMs: options.maxAckDelayMs ?? 5,
    initialRttMs: options.initialRttMs ?? 30,
    maxDatagramBytes: options.maxDatagramBytes ?? MAX_DATAGRAM_BYTES,
    interfaceDatagramBytes: options.interfaceDatagramBytes ?? (() => ETHERNET_DATAGRAM_BYTES),
    maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    maxChannels: options.maxChannels ?? 4_096,
    sendBufferBytes: options.sendBufferBytes ?? 64 * 1024 * 1024,
    connectionWindowBytes: options.connectionWindowBytes ?? 32 * 1024 * 1024,
    channelWindowBytes: options.channelWindowBytes ?? 8 * 1024 * 1024,
    keyUpdatePackets: options.keyUpdatePackets ?? 2 ** 20,
    keyUpdateMs: options.keyUpdateMs ?? 600_000,
    redundancyShare: options.redundancyShare ?? 0.2,
    maxConnections: options.maxConnections ?? 4_096,
    maxHalfOpen: options.maxHalfOpen ?? 256,
    maxAckRanges: options.maxAckRanges ?? MAX_ACK_RANGES,
    accept: options.accept ?? true,
    supersede: options.supersede ?? 'address',
    credit: options.credit ?? 'poll',
    observe: options.observe,
  };
  check(resolved);
  return resolved;
};

const check = (options: ResolvedOptions): void => {
  for (const [key, least, greatest] of RANGES) {
    const value = options[key];
    if (!(value >= least && value <= greatest)) {
      const range = `${least} to ${greatest}`;
      throw new RudpError('invalid', `${key} is ${value}; it must be ${range}`);
    }
  }
  if (!Number.isInteger(options.incarnation)) {
    throw new RudpError('invalid', `incarnation is ${options.incarnation}; it must be an integer`);
  }
  const nameBytes = new TextEncoder().encode(options.name).length;
  if (nameBytes > MAX_NAME_BYTES) {
    const problem = `the name has ${nameBytes} bytes; it may have ${MAX_NAME_BYTES}`;
    throw new RudpError('invalid', problem);
  }
  const clusterIdBytes = new TextEncoder().encode(options.clusterId).length;
  if (clusterIdBytes > MAX_CLUSTER_ID_BYTES) {
    const problem = `the cluster id has ${clusterIdBytes} bytes; it may have ${MAX_CLUSTER_ID_BYTES}`;
    throw new RudpError('invalid', problem);
  }
  if (!isCongestionName(options.congestion)) {
    const name: string = options.congestion;
    throw new RudpError('invalid', `there is no congestion controller named ${name}`);
  }
  const least = options.maxMessageBytes + MESSAGE_OVERHEAD_BYTES;
  if (options.connectionWindowBytes < least) {
    throw new RudpError(
      'invalid',
      `connectionWindowBytes is ${options.connectionWindowBytes}; one message of ` +
        `maxMessageBytes (${options.maxMessageBytes}) needs ${least}`,
    );
  }
};
