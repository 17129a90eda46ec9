/** What both sides tell each other in the handshake: who they are and what they take. */

import type { ByteReader } from './byte_reader.ts';
import {
  MAX_DATAGRAM_BYTES,
  MAX_NAME_BYTES,
  MIN_DATAGRAM_BYTES,
  MESSAGE_OVERHEAD_BYTES,
} from './limits.ts';
import type { Millis } from './millis.ts';
import type { ResolvedOptions } from './options.ts';
import { varintBytes, writeVarint } from './varint.ts';

/** The transport parameters of one side (the idea of RFC 9000 §18). */
export interface Introduction {
  readonly name: string;
  readonly incarnation: number;
  readonly maxDatagramBytes: number;
  readonly idleTimeoutMs: Millis;
  readonly maxAckDelayMs: Millis;
  readonly maxMessageBytes: number;
  readonly maxChannels: number;
  readonly connectionWindowBytes: number;
  readonly channelWindowBytes: number;
}

type ParameterName = Exclude<keyof Introduction, 'name'>;

/** The ids on the wire. A receiver skips ids it does not know; every one here must be present. */
const PARAMETER_IDS: Readonly<Record<ParameterName, number>> = {
  incarnation: 1,
  maxDatagramBytes: 2,
  idleTimeoutMs: 3,
  maxAckDelayMs: 4,
  maxMessageBytes: 5,
  maxChannels: 6,
  connectionWindowBytes: 7,
  channelWindowBytes: 8,
};

const PARAMETERS = Object.entries(PARAMETER_IDS) as readonly (readonly [ParameterName, number])[];

/** A peer from a later version may send more parameters than we know, up to this many. */
const MAX_PARAMETERS = 32;

/** Times travel in microseconds. */
const MICROS = 1000;
const wireFactor = (name: ParameterName): number => (name.endsWith('Ms') ? MICROS : 1);

export const introductionOf = (options: ResolvedOptions): Introduction => ({
  name: options.name,
  incarnation: options.incarnation,
  maxDatagramBytes: options.maxDatagramBytes,
  idleTimeoutMs: options.idleTimeoutMs,
  maxAckDelayMs: options.maxAckDelayMs,
  maxMessageBytes: options.maxMessageBytes,
  maxChannels: options.maxChannels,
  connectionWindowBytes: options.connectionWindowBytes,
  channelWindowBytes: options.channelWindowBytes,
});

export const encodeIntroduction = (introduction: Introduction): Uint8Array => {
  const name = new TextEncoder().encode(introduction.name);
  const values = PARAMETERS.map(
    ([key, id]) => [id, Math.round(introduction[key] * wireFactor(key))] as const,
  );
  const sizes = values.map(([id, value]) => varintBytes(id) + varintBytes(value));
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 2 + name.length));
  bytes[0] = name.length;
  bytes.set(name, 1);
  let at = writeVarint(bytes, 1 + name.length, values.length);
  for (const [id, value] of values) {
    at = writeVarint(bytes, at, id);
    at = writeVarint(bytes, at, value);
  }
  return bytes;
};

/** Undefined if the bytes are no introduction, or one whose values make no sense. */
export const decodeIntroduction = (reader: ByteReader): Introduction | undefined => {
  const nameBytes = reader.view(reader.uint8());
  const count = reader.varint();
  if (reader.failed() || nameBytes.length > MAX_NAME_BYTES || count > MAX_PARAMETERS) {
    return undefined;
  }
  const values = new Map<number, number>();
  for (let index = 0; index < count; index += 1) values.set(reader.varint(), reader.varint());
  if (reader.failed() || PARAMETERS.some(([, id]) => !values.has(id))) return undefined;
  const value = (key: ParameterName): number =>
    (values.get(PARAMETER_IDS[key]) ?? 0) / wireFactor(key);
  const maxDatagramBytes = Math.min(value('maxDatagramBytes'), MAX_DATAGRAM_BYTES);
  if (maxDatagramBytes < MIN_DATAGRAM_BYTES || value('maxChannels') < 1) return undefined;
  // The longest message it takes must fit into its window, or it would wait there for ever.
  const least = value('maxMessageBytes') + MESSAGE_OVERHEAD_BYTES;
  if (value('connectionWindowBytes') < least) return undefined;
  return {
    name: new TextDecoder().decode(nameBytes),
    incarnation: value('incarnation'),
    maxDatagramBytes,
    idleTimeoutMs: value('idleTimeoutMs'),
    maxAckDelayMs: value('maxAckDelayMs'),
    maxMessageBytes: value('maxMessageBytes'),
    maxChannels: value('maxChannels'),
    connectionWindowBytes: value('connectionWindowBytes'),
    channelWindowBytes: value('channelWindowBytes'),
  };
};
