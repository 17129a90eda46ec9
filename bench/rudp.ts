/**
 * I/O: rudp beside TCP on the loopback interface, in the same run: request and response, one and 32
 * in flight, and bulk. Two processes. `npx tsx bench/rudp.ts [seconds per row, default 2]`.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { createServer, connect as connectTcp, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import {
  createChecksumProtection,
  createSecureRandom,
  Endpoint,
  interfaceDatagramBytes,
  RudpError,
  SocketEndpoint,
  type EndpointEvent,
} from '../rudp/index.ts';

const REQUEST_BYTES = 128;
const RESPONSE_BYTES = 1024;
const BULK_BYTES = 64 * 1024;
/** The receiver of bulk reports after so many messages. */
const REPORT_EVERY = 16;
const DEFAULT_SECONDS = 2;
const HEADER_BYTES = 4;

/** The first byte of a message. */
const KIND = { request: 0, bulk: 1, response: 2, report: 3 } as const;

/** What both transports offer to the measurements. */
interface Pipe {
  /** False if `onDrain` is to be waited for before more is sent (rudp has not taken this one then). */
  send(message: Uint8Array): boolean;
  onMessage: (message: Uint8Array) => void;
  onDrain: () => void;
  close(): Promise<void>;
}

const messageOf = (kind: number, bytes: number): Uint8Array => {
  const message = new Uint8Array(bytes);
  message[0] = kind;
  return message;
};

/** Answers requests with responses, and reports every few bulk messages. */
const serve = (pipe: Pipe): void => {
  let bulk = 0;
  pipe.onMessage = (message) => {
    if (message[0] === KIND.request) pipe.send(messageOf(KIND.response, RESPONSE_BYTES));
    else if (++bulk % REPORT_EVERY === 0) pipe.send(messageOf(KIND.report, 1));
  };
};

const newEndpoint = (name: string): Endpoint =>
  new Endpoint({
    name,
    incarnation: 1,
    protection: createChecksumProtection(),
    random: createSecureRandom(),
    interfaceDatagramBytes,
    sendBufferBytes: 8 * 1024 * 1024,
  });

/** Runs one endpoint; `onPipe` is called for every connection. */
const bindRudp = async (
  name: string,
  onPipe: (pipe: Pipe) => void,
): Promise<{ endpoint: Endpoint; socket: SocketEndpoint<EndpointEvent> }> => {
  const endpoint = newEndpoint(name);
  const pipes = new Map<number, Pipe>();
  const socket = await SocketEndpoint.bind(endpoint, {
    onEvent: (event) => {
      if (event.type === 'connected') {
        const pipe = rudpPipe(endpoint, socket, event.connection);
        pipes.set(event.connection, pipe);
        onPipe(pipe);
      } else if (event.type === 'message') pipes.get(event.connection)?.onMessage(event.message);
      else if (event.type === 'drain') pipes.get(event.connection)?.onDrain();
    },
  });
  return { endpoint, socket };
};

const rudpPipe = (
  endpoint: Endpoint,
  socket: SocketEndpoint<EndpointEvent>,
  connection: number,
): Pipe => ({
  send: (message) => {
    try {
      endpoint.send(connection, message, {}, socket.now());
      socket.wake();
      return true;
    } catch (error) {
      // 'closed': the client hung up with messages still unanswered, at the end of bulk.
      if (error instanceof RudpError && ['buffer-full', 'closed'].includes(error.code))
        return false;
      throw error;
    }
  },
  onMessage: () => undefined,
  onDrain: () => undefined,
  close: async () => {
    if (process.env['RUDP_STATS']) console.log(endpoint.stats(connection));
    endpoint.close(connection, 0, 'done', socket.now());
    await socket.close();
  },
});

/** Messages with their length before them, as every protocol on TCP has to have it. */
const tcpPipe = (socket: Socket): Pipe => {
  socket.setNoDelay(true);
  let rest = Buffer.alloc(0);
  const pipe: Pipe = {
    send: (message) => {
      const header = Buffer.allocUnsafe(HEADER_BYTES);
      header.writeUInt32BE(message.length);
      socket.cork();
      socket.write(header);
      const more = socket.write(message);
      process.nextTick(() => {
        socket.uncork();
      });
      return more;
    },
    onMessage: () => undefined,
    onDrain: () => undefined,
    close: () =>
      new Promise((resolve) => {
        socket.end(resolve);
      }),
  };
  socket.on('drain', () => {
    pipe.onDrain();
  });
  socket.on('data', (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    let at = 0;
    while (rest.length - at >= HEADER_BYTES) {
      const end = at + HEADER_BYTES + rest.readUInt32BE(at);
      if (rest.length < end) break;
      pipe.onMessage(rest.subarray(at + HEADER_BYTES, end));
      at = end;
    }
    rest = rest.subarray(at);
  });
  return pipe;
};

/** Requests a second with `inFlight` of them outstanding at any time. */
const requests = async (pipe: Pipe, inFlight: number, seconds: number): Promise<number> => {
  const until = performance.now() + seconds * 1000;
  const begun = performance.now();
  let answered = 0;
  await new Promise<void>((resolve) => {
    let outstanding = inFlight;
    pipe.onMessage = () => {
      answered += 1;
      if (performance.now() < until) pipe.send(messageOf(KIND.request, REQUEST_BYTES));
      else if (--outstanding === 0) resolve();
    };
    for (let count = 0; count < inFlight; count += 1) {
      pipe.send(messageOf(KIND.request, REQUEST_BYTES));
    }
  });
  return (answered * 1000) / (performance.now() - begun);
};

/** Megabytes a second of 64 KiB messages that have arrived. */
const bulk = async (pipe: Pipe, seconds: number): Promise<number> => {
  const begun = performance.now();
  const message = messageOf(KIND.bulk, BULK_BYTES);
  let reports = 0;
  let lastReport = begun;
  await new Promise<void>((resolve) => {
    const fill = (): void => {
      if (performance.now() - begun > seconds * 1000) resolve();
      else while (pipe.send(message));
    };
    pipe.onMessage = () => {
      reports += 1;
      lastReport = performance.now();
    };
    pipe.onDrain = fill;
    fill();
  });
  return (reports * REPORT_EVERY * BULK_BYTES) / 1000 / (lastReport - begun);
};

const serverProcess = async (): Promise<void> => {
  const rudp = await bindRudp('server', serve);
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(tcpPipe(socket));
  });
  await new Promise<void>((resolve) => {
    tcp.listen(0, '127.0.0.1', resolve);
  });
  const address = tcp.address();
  const tcpPort = typeof address === 'object' ? address?.port : undefined;
  process.send?.({ rudpPort: rudp.socket.port, tcpPort });
};

interface Ports {
  readonly rudpPort: number;
  readonly tcpPort: number;
}

const startServer = async (): Promise<{ child: ChildProcess; ports: Ports }> => {
  const child = fork(fileURLToPath(import.meta.url), ['server']);
  const ports = await new Promise<Ports>((resolve) => {
    child.once('message', (message) => {
      resolve(message as Ports);
    });
  });
  return { child, ports };
};

const openRudp = (port: number): Promise<Pipe> =>
  new Promise((resolve, reject) => {
    bindRudp('client', resolve)
      .then(({ endpoint, socket }) => {
        endpoint.connect(`127.0.0.1:${port}`, socket.now());
        socket.wake();
      })
      .catch(reject);
  });

const openTcp = (port: number): Promise<Pipe> =>
  new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => {
      resolve(tcpPipe(socket));
    });
    socket.on('error', reject);
  });

const main = async (seconds: number): Promise<void> => {
  const { child, ports } = await startServer();
  const rows: [string, string, (pipe: Pipe) => Promise<number>][] = [
    ['request-response, 1 in flight', '1/s', (pipe) => requests(pipe, 1, seconds)],
    ['request-response, 32 in flight', '1/s', (pipe) => requests(pipe, 32, seconds)],
    ['bulk, 64 KiB messages', 'MB/s', (pipe) => bulk(pipe, seconds)],
  ];
  const table = [];
  for (const [what, unit, measure] of rows) {
    const measured: number[] = [];
    for (const open of [() => openRudp(ports.rudpPort), () => openTcp(ports.tcpPort)]) {
      const pipe = await open();
      measured.push(await measure(pipe));
      await pipe.close();
    }
    const [rudp = 0, tcp = 1] = measured;
    table.push({
      what,
      unit,
      rudp: Math.round(rudp),
      tcp: Math.round(tcp),
      ratio: (rudp / tcp).toFixed(2),
    });
  }
  console.table(table);
  child.kill();
};

if (process.argv[2] === 'server') await serverProcess();
else await main(Number(process.argv[2] ?? DEFAULT_SECONDS));
