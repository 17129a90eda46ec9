/** The server's side of a handshake, after the cookie: two pure steps, no state of its own. */

import { ByteReader } from './byte_reader.ts';
import { decodeIntroduction, encodeIntroduction, introductionOf } from './handshake_codec.ts';
import type { Introduction } from './handshake_codec.ts';
import type { ResolvedOptions } from './options.ts';
import { encodeWelcome, helloBound, welcomeHeader } from './packet_codec.ts';
import type { ConnectionId, Hello } from './packet_codec.ts';
import type { HandshakeProtection } from './protection.ts';

/** What is said of somebody whose hello cannot be read. */
export const FOREIGN_HELLO = 'its hello is under none of our keys, or of another cluster';

/** Who says hello; undefined if the hello is damaged or under a foreign key. */
export const readHello = (
  hello: Hello,
  handshake: HandshakeProtection,
  clusterId: string,
): Introduction | undefined => {
  const payload = handshake.read(hello.message, helloBound(hello.clientId, clusterId));
  return payload && decodeIntroduction(new ByteReader(payload));
};

/** The datagram that answers a hello that was read with the same `handshake`. */
export const writeWelcome = (
  clientId: ConnectionId,
  localId: ConnectionId,
  handshake: HandshakeProtection,
  options: ResolvedOptions,
): Uint8Array => {
  const header = welcomeHeader(clientId, localId);
  const introduction = encodeIntroduction(introductionOf(options));
  return encodeWelcome(header, handshake.write(introduction, header));
};
