/**
 * I/O: rudp as a peer of a bench that compares transports. `listen` answers requests, `connect`
 * gives `request`, `send` (await it for backpressure) and `close`. Needs `npm run build`.
 * PEER_VARIANT=insecure leaves the encryption out, PEER_VARIANT=cubic or newreno changes the
 * congestion control.
 */

import { RudpEndpoint } from '../dist/rudp/index.js';

const ID_BYTES = 4;
const RESPONSE = 0x8000_0000;
/** Requests are spread over channels, so that the loss of one holds up no other. */
const REQUEST_CHANNELS = 1024;
const BULK_CHANNEL = 0;

const variant = process.env.PEER_VARIANT ?? '';
const security =
  variant === 'insecure' ? { insecure: true } : { key: new Uint8Array(32).fill(0x5a) };
const congestion = variant === 'cubic' || variant === 'newreno' ? { congestion: variant } : {};
const options = { host: '0.0.0.0', ...security, ...congestion };

const pack = (id, body) => {
  const message = new Uint8Array(ID_BYTES + body.length);
  new DataView(message.buffer).setUint32(0, id);
  message.set(body, ID_BYTES);
  return message;
};

const unpack = (message) => ({
  id: new DataView(message.buffer, message.byteOffset).getUint32(0),
  body: Buffer.from(message.buffer, message.byteOffset + ID_BYTES, message.length - ID_BYTES),
});

const serve = async (connection, onRequest) => {
  for await (const { channel, message } of connection) {
    const { id, body } = unpack(message);
    const response = onRequest?.(body);
    if (id === 0 || response === undefined) continue;
    const answer = (bytes) => connection.send(pack(id + RESPONSE, bytes), { channel });
    Promise.resolve(response)
      .then(answer)
      .catch(() => undefined);
  }
};

export async function listen(port, onRequest) {
  const endpoint = await RudpEndpoint.bind({ ...options, port });
  const accept = async () => {
    for await (const connection of endpoint) void serve(connection, onRequest);
  };
  void accept();
  return endpoint;
}

/** One endpoint for all connections of this process. */
let client;

export async function connect(host, port) {
  client ??= RudpEndpoint.bind({ ...options, port: 0 });
  const connection = await (await client).connect(host, port);
  const open = new Map();
  let next = 1;
  const receive = async () => {
    for await (const { message } of connection) {
      const { id, body } = unpack(message);
      open.get(id - RESPONSE)?.(body);
      open.delete(id - RESPONSE);
    }
  };
  void receive();
  return {
    request: (body) =>
      new Promise((resolve, reject) => {
        const id = next++ % RESPONSE;
        open.set(id, resolve);
        const channel = 1 + (id % REQUEST_CHANNELS);
        connection.send(pack(id, body), { channel }).catch(reject);
      }),
    send: (body) => connection.send(pack(0, body), { channel: BULK_CHANNEL }),
    stats: () => connection.stats(),
    close: () => connection.close(),
  };
}
