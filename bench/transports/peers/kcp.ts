/** I/O: KCP in C (node-kcp) with its fast settings: resends at the second skipped ack, no congestion window. */

import { connectDatagrams, serveDatagrams } from '../datagrams.ts';
import { Exchange } from '../../../netem/transports/exchange.ts';
import { loadPackage } from '../installed_peers.ts';
import type { OnRequest, PeerConnection } from '../../../netem/transports/peer.ts';

interface Kcp {
  nodelay(on: number, intervalMs: number, resend: number, noWindow: number): void;
  wndsize(send: number, receive: number): void;
  setmtu(bytes: number): void;
  output(send: (bytes: Buffer, length: number) => void): void;
  send(message: Buffer): number;
  input(datagram: Buffer): number;
  recv(): Buffer | undefined;
  update(nowMs: number): void;
  flush(): void;
  waitsnd(): number;
}

const { KCP } = loadPackage('node-kcp/build/Release/kcp.node') as {
  KCP: new (conversation: number, context: object) => Kcp;
};

const INTERVAL_MS = 10;
const WINDOW_PACKETS = 1024;
const MTU_BYTES = 1400;

/** One conversation: an exchange, and what its datagrams go to. */
const converse = (number: number, send: (bytes: Buffer) => void, onRequest?: OnRequest) => {
  const kcp = new KCP(number, {});
  kcp.nodelay(1, INTERVAL_MS, 2, 1);
  kcp.wndsize(WINDOW_PACKETS, WINDOW_PACKETS);
  kcp.setmtu(MTU_BYTES);
  kcp.output((bytes, length) => {
    send(bytes.length === length ? bytes : bytes.subarray(0, length));
  });
  let roomWanted: (() => void)[] = [];
  const giveRoom = (): void => {
    if (kcp.waitsnd() >= WINDOW_PACKETS) return;
    const waiting = roomWanted;
    roomWanted = [];
    for (const resolve of waiting) resolve();
  };
  let stopped = false;
  let scheduled = false;
  /** Once a turn, whatever was sent and received in it, rather than at the next interval. */
  const flushSoon = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (stopped) return;
      kcp.update(Date.now());
      kcp.flush();
    });
  };
  const timer = setInterval(() => {
    kcp.update(Date.now());
    giveRoom();
  }, INTERVAL_MS);
  const exchange = new Exchange((head, body) => {
    kcp.send(Buffer.concat([head, body]));
    flushSoon();
    if (kcp.waitsnd() < 2 * WINDOW_PACKETS) return undefined;
    return new Promise((resolve) => roomWanted.push(resolve));
  }, onRequest);
  const receive = (datagram: Buffer): void => {
    kcp.input(datagram);
    for (let message = kcp.recv(); message !== undefined; message = kcp.recv()) {
      exchange.receive(message);
    }
    giveRoom();
    flushSoon();
  };
  return {
    exchange,
    receive,
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
};

export const listen = (port: number, onRequest: OnRequest): Promise<void> =>
  serveDatagrams(port, (send, first) => converse(first.readUInt32LE(0), send, onRequest).receive);

let conversations = 0;

export const connect = async (host: string, port: number): Promise<PeerConnection> => {
  const socket = await connectDatagrams(host, port);
  const { exchange, receive, stop } = converse(++conversations, (bytes) => {
    socket.send(bytes);
  });
  socket.on('message', receive);
  return {
    request: (body) => exchange.request(body),
    send: (body) => exchange.send(body),
    close: () => {
      stop();
      socket.close();
    },
  };
};
