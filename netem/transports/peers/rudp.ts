/**
 * I/O: rudp. PEER_VARIANT=insecure leaves the encryption out, PEER_VARIANT=cubic or newreno changes the
 * congestion control.
 */

import { RudpEndpoint, type RudpConnection } from '../../../rudp/index.ts';
import type { OnRequest, PeerConnection } from '../peer.ts';

const variant = process.env['PEER_VARIANT'] ?? '';
const security =
  variant === 'insecure' ? { insecure: true as const } : { key: new Uint8Array(32).fill(0x5a) };
const congestion =
  variant === 'cubic' || variant === 'newreno' ? ({ congestion: variant } as const) : {};
const options = { host: '0.0.0.0', ...security, ...congestion };

/** The bytes of a message, not copied. */
const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

const receiveOneWay = async (connection: RudpConnection, onMessage: OnRequest): Promise<void> => {
  for await (const { message } of connection) void onMessage(bufferOf(message));
};

export const listen = async (port: number, onRequest: OnRequest): Promise<RudpEndpoint> => {
  const endpoint = await RudpEndpoint.bind({ ...options, port });
  const accept = async (): Promise<void> => {
    for await (const connection of endpoint) {
      connection.onRequest((request) => onRequest(bufferOf(request)) ?? Buffer.alloc(0));
      void receiveOneWay(connection, onRequest);
    }
  };
  void accept();
  return endpoint;
};

/** One endpoint for all connections of this process. */
let client: Promise<RudpEndpoint> | undefined;

export const connect = async (host: string, port: number): Promise<PeerConnection> => {
  client ??= RudpEndpoint.bind({ ...options, port: 0 });
  const connection = await (await client).connect(host, port);
  return {
    request: async (body) => bufferOf(await connection.request(body)),
    send: (body) => connection.send(body),
    close: () => connection.close(),
    repeats: () => {
      const { packetsSent, packetsLost, spuriousLosses } = connection.stats();
      return { sent: packetsSent, repeated: packetsLost, spurious: spuriousLosses };
    },
  };
};
