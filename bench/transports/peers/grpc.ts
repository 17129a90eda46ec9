/** I/O: gRPC in JavaScript (@grpc/grpc-js), without TLS: a unary call a request, one stream for what goes one way. */

import type { Duplex } from 'node:stream';
import { loadPackage } from '../installed_peers.ts';
import type { OnRequest, PeerConnection } from '../../../netem/transports/peer.ts';

type Callback = (error: Error | null, body?: Buffer) => void;
interface Server {
  addService(definition: object, handlers: object): void;
  bindAsync(address: string, credentials: unknown, done: (error: Error | null) => void): void;
}
interface Client {
  exchange(body: Buffer, done: (error: Error | null, body: Buffer) => void): void;
  push(done: () => void): Duplex;
  waitForReady(deadline: number, done: (error?: Error) => void): void;
  close(): void;
}
interface Grpc {
  readonly Server: new (options: object) => Server;
  readonly ServerCredentials: { createInsecure(): unknown };
  readonly credentials: { createInsecure(): unknown };
  makeGenericClientConstructor(
    definition: object,
    name: string,
  ): new (address: string, credentials: unknown, options: object) => Client;
}

const grpc = loadPackage('@grpc/grpc-js') as Grpc;

const READY_MS = 30_000;
const UNBOUNDED = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

const asIs = (bytes: Buffer): Buffer => bytes;
const method = (path: string, requestStream: boolean): object => ({
  path,
  requestStream,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});
const SERVICE = {
  exchange: method('/bench.Bench/Exchange', false),
  push: method('/bench.Bench/Push', true),
};

export const listen = (port: number, onRequest: OnRequest): Promise<void> => {
  const server = new grpc.Server(UNBOUNDED);
  server.addService(SERVICE, {
    exchange: (call: { readonly request: Buffer }, done: Callback) => {
      const response = onRequest(call.request);
      if (response === undefined || Buffer.isBuffer(response)) done(null, response);
      else {
        response.then((body) => {
          done(null, body);
        }, done);
      }
    },
    push: (call: Duplex, done: Callback) => {
      call.on('error', () => undefined);
      call.on('data', (body: Buffer) => void onRequest(body));
      call.on('end', () => {
        done(null, Buffer.alloc(0));
      });
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync(`0.0.0.0:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
};

const BenchClient = grpc.makeGenericClientConstructor(SERVICE, 'Bench');

export const connect = async (host: string, port: number): Promise<PeerConnection> => {
  // Each with a TCP connection of its own.
  const options = { ...UNBOUNDED, 'grpc.use_local_subchannel_pool': 1 };
  const client = new BenchClient(`${host}:${port}`, grpc.credentials.createInsecure(), options);
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + READY_MS, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
  let stream: Duplex | undefined;
  return {
    request: (body) =>
      new Promise((resolve, reject) => {
        client.exchange(body, (error, response) => {
          if (error === null) resolve(response);
          else reject(error);
        });
      }),
    send: (body) => {
      stream ??= client.push(() => undefined);
      const open = stream;
      return open.write(body) ? undefined : new Promise((resolve) => open.once('drain', resolve));
    },
    close: () => {
      client.close();
    },
  };
};
