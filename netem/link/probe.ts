/**
 * I/O: one end of the measurement of a link, started by `measure_link.ts` in a namespace; tells its parent
 * what it saw. `echo PORT` sends back what comes; `ask HOST PORT COUNT GAP_MS` sends numbered datagrams and
 * tells their round trips in ms; `sink PORT MS` tells the rate at which bytes came; `pour HOST PORT MS`
 * sends more than a link can carry.
 */

import { createSocket } from 'node:dgram';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

const BUFFER_BYTES = 4 * 1024 * 1024;
/** With headers of 28 bytes these fill packets of 200 and of 1,500 bytes. */
const ASK_BYTES = 172;
const POUR_BYTES = 1472;
const POUR_BATCH = 16;
/** What is under way when the last was sent has so long to come back. */
const TAIL_MS = 1000;

const [role, ...words] = process.argv.slice(2);
const socket = createSocket({
  type: 'udp4',
  recvBufferSize: BUFFER_BYTES,
  sendBufferSize: BUFFER_BYTES,
});
const tell = (message: unknown): void => {
  process.send?.(message);
};

/** Calls `step` `perMs` times per ms of real time, until `count` calls were made. */
const paced = async (
  count: number,
  perMs: number,
  step: (index: number) => void,
): Promise<void> => {
  const begun = performance.now();
  for (let made = 0; made < count;) {
    const due = Math.min(count, Math.floor((performance.now() - begun) * perMs) + 1);
    for (; made < due; made += 1) step(made);
    await sleep(1);
  }
};

const echo = (port: number): void => {
  socket.on('message', (bytes, from) => {
    socket.send(bytes, from.port, from.address);
  });
  socket.bind(port, () => {
    tell({ ready: true });
  });
};

const ask = async (host: string, port: number, count: number, gapMs: number): Promise<void> => {
  const sentAt = new Float64Array(count);
  const roundTripsMs: number[] = [];
  socket.on('message', (bytes) => {
    roundTripsMs.push(performance.now() - (sentAt[bytes.readUInt32BE(0)] ?? 0));
  });
  await paced(count, 1 / gapMs, (index) => {
    const bytes = Buffer.alloc(ASK_BYTES);
    bytes.writeUInt32BE(index);
    sentAt[index] = performance.now();
    socket.send(bytes, port, host);
  });
  await sleep(TAIL_MS);
  tell({ roundTripsMs });
};

const sink = (port: number, ms: number): void => {
  let bytes = 0;
  let first = 0;
  let last = 0;
  socket.on('message', (message) => {
    last = performance.now();
    if (first === 0) first = last;
    else if (last - first < ms) bytes += message.length + 28;
  });
  socket.bind(port, () => {
    tell({ ready: true });
  });
  process.on('message', () => {
    tell({ mbit: (8 * bytes) / 1000 / Math.min(ms, last - first) });
  });
};

/** As fast as one process can. */
const pour = async (host: string, port: number, ms: number): Promise<void> => {
  const bytes = Buffer.alloc(POUR_BYTES);
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs) {
    await nextTurn();
    for (let count = 0; count < POUR_BATCH; count += 1) socket.send(bytes, port, host);
  }
  await sleep(TAIL_MS);
  tell({ poured: true });
};

process.on('disconnect', () => {
  process.exit();
});
const [first = '', ...rest] = words;
const numbers = rest.map(Number);
const [second = 0, third = 0, fourth = 0] = numbers;
if (role === 'echo') echo(Number(first));
else if (role === 'sink') sink(Number(first), second);
else if (role === 'ask') await ask(first, second, third, fourth);
else if (role === 'pour') await pour(first, second, third);
