/**
 * I/O: rudp as a peer of a bench that compares transports. `listen` answers requests, `connect`
 * gives `request`, `send` (await it for backpressure) and `close`. Needs `npm run build`.
 * PEER_VARIANT=insecure leaves the encryption out, PEER_VARIANT=cubic or newreno changes the
 * congestion control.
 */

import { RudpEndpoint } from '../dist/rudp/index.js';

const variant = process.env.PEER_VARIANT ?? '';
const security =
  variant === 'insecure' ? { insecure: true } : { key: new Uint8Array(32).fill(0x5a) };
const congestion = variant === 'cubic' || variant === 'newreno' ? { congestion: variant } : {};
const options = { host: '0.0.0.0', ...security, ...congestion };

/** The bytes of a message, not copied, as the Buffer that the bench reads. */
const bufferOf = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

const receiveOneWay = async (connection, onMessage) => {
  for await (const { message } of connection) onMessage(bufferOf(message));
};

export async function listen(port, onRequest) {
  const endpoint = await RudpEndpoint.bind({ ...options, port });
  const accept = async () => {
    for await (const connection of endpoint) {
      connection.onRequest((request) => onRequest(bufferOf(request)));
      void receiveOneWay(connection, onRequest);
    }
  };
  void accept();
  return endpoint;
}

/** One endpoint for all connections of this process. */
let client;

export async function connect(host, port) {
  client ??= RudpEndpoint.bind({ ...options, port: 0 });
  const connection = await (await client).connect(host, port);
  return {
    request: async (body) => bufferOf(await connection.request(body)),
    send: (body) => connection.send(body),
    stats: () => connection.stats(),
    close: () => connection.close(),
  };
}
