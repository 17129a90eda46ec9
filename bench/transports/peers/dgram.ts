/** I/O: one datagram a message and no reliability: what Node's UDP sockets cost, and no more can be had. */

import { connectDatagrams, serveDatagrams } from '../datagrams.ts';
import { Exchange } from '../../../netem/transports/exchange.ts';
import type { OnRequest, PeerConnection } from '../../../netem/transports/peer.ts';

export const listen = (port: number, onRequest: OnRequest): Promise<void> =>
  serveDatagrams(port, (send) => {
    const exchange = new Exchange((head, body) => {
      send(Buffer.concat([head, body]));
      return undefined;
    }, onRequest);
    return (datagram) => {
      exchange.receive(datagram);
    };
  });

export const connect = async (host: string, port: number): Promise<PeerConnection> => {
  const socket = await connectDatagrams(host, port);
  const exchange = new Exchange((head, body) => {
    socket.send(Buffer.concat([head, body]));
    return undefined;
  });
  socket.on('message', (datagram) => {
    exchange.receive(datagram);
  });
  return {
    request: (body) => exchange.request(body),
    send: () => {
      throw new Error('a bare datagram does not carry 64 KiB');
    },
    close: () => socket.close(),
  };
};
