/**
 * I/O: `npm run soak:rudp`: two processes, one connection, encrypted, as fast as it goes; every message
 * checked, and the memory of both judged flat or not. Once a second the sender waits until all has
 * arrived, so that what is measured then is what is kept, not what is under way.
 */

import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { RudpEndpoint, type RudpConnection } from '../../rudp/index.ts';
import { wholeNumber } from '../whole_number.ts';
import { MAX_RISE_BYTES, riseOf } from './flatness.ts';
import { CHANNELS, messageOf } from './load.ts';
import { memoryNow, type Memory, type ReceiverReport } from './memory.ts';

const SAMPLE_MS = 1000;
const MIB = 2 ** 20;
const RECEIVER = fileURLToPath(new URL('./receiver.ts', import.meta.url));

interface Flags {
  readonly seconds: number;
  readonly leak: number;
}

interface Sent {
  messages: number;
  bytes: number;
  readonly next: number[];
  /** What --leak keeps. */
  readonly leaked: object[];
}

/** Sends on all channels in turn until `endsAt`; every send waits while the buffer is full. */
const sendUntil = async (
  connection: RudpConnection,
  endsAt: number,
  sent: Sent,
  leakBytes: number,
): Promise<void> => {
  while (performance.now() < endsAt) {
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      const sequence = sent.next[channel] ?? 0;
      sent.next[channel] = sequence + 1;
      const message = messageOf(channel, sequence);
      sent.messages += 1;
      sent.bytes += message.length;
      if (leakBytes > 0) sent.leaked.push(new Uint8Array(leakBytes));
      await connection.send(message, { channel });
    }
    // Sends that need not wait settle at once: sockets and timers get their turn here.
    await new Promise((resolve) => setImmediate(resolve));
  }
};

/** What the receiver has once everything has come; it is asked until then, for ten seconds at most. */
const settle = async (connection: RudpConnection, sent: Sent): Promise<ReceiverReport> => {
  const giveUpAt = performance.now() + 10 * SAMPLE_MS;
  while (true) {
    const answer = await connection.request(new Uint8Array(0));
    const report = JSON.parse(new TextDecoder().decode(answer)) as ReceiverReport;
    // What is acknowledged is let go; the acknowledgement may be later than the answer.
    const settled = report.messages >= sent.messages && connection.stats().bufferedBytes === 0;
    if (settled || performance.now() > giveUpAt) return report;
  }
};

/** Says what is wrong with a series of samples; nothing if it is flat. */
const judge = (who: string, samples: readonly Memory[]): string[] => {
  const wrong: string[] = [];
  for (const kind of ['retained', 'rss'] as const) {
    const series = samples.map((sample) => sample[kind]);
    const rise = riseOf(series);
    const from = ((series[0] ?? 0) / MIB).toFixed(1);
    const to = ((series.at(-1) ?? 0) / MIB).toFixed(1);
    const line = `${who}: ${kind} ${from} to ${to} MiB, trend ${(rise / MIB).toFixed(2)} MiB`;
    console.log(`${line} (at most ${MAX_RISE_BYTES[kind] / MIB})`);
    if (rise > MAX_RISE_BYTES[kind]) wrong.push(`${line}: not flat`);
  }
  return wrong;
};

const soak = async ({ seconds, leak }: Flags): Promise<string[]> => {
  const key = new Uint8Array(randomBytes(32));
  const child = fork(RECEIVER, [Buffer.from(key).toString('hex')], { execArgv: process.execArgv });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const client = await RudpEndpoint.bind({ name: 'sender', key });
  const connection = await client.connect('127.0.0.1', port);
  const sent: Sent = { messages: 0, bytes: 0, next: [], leaked: [] };
  const ours: Memory[] = [];
  const theirs: Memory[] = [];
  const wrong: string[] = [];
  const begun = performance.now();
  while (performance.now() < begun + seconds * SAMPLE_MS && wrong.length === 0) {
    await sendUntil(connection, performance.now() + SAMPLE_MS, sent, leak);
    const report = await settle(connection, sent);
    ours.push(memoryNow());
    theirs.push(report.memory);
    wrong.push(...report.problems);
    if (report.messages !== sent.messages || report.bytes !== sent.bytes) {
      wrong.push(
        `${report.messages} of ${sent.messages} messages came, ${report.bytes} of ${sent.bytes} bytes`,
      );
    }
  }
  const elapsed = (performance.now() - begun) / 1000;
  const rate = `${Math.round(sent.bytes / elapsed / 1e6)} MB/s, ${Math.round(sent.messages / elapsed)} messages/s`;
  console.log(
    `${sent.messages} messages, ${Math.round(sent.bytes / 1e6)} MB in ${elapsed.toFixed(1)} s: ${rate}`,
  );
  const { packetsLost, spuriousLosses, retransmits } = connection.stats();
  console.log(
    `packets lost ${packetsLost} (${spuriousLosses} of them not), pieces sent again ${retransmits}`,
  );
  wrong.push(...judge('sender', ours), ...judge('receiver', theirs));
  await client.close();
  if (child.exitCode === null) await once(child, 'exit');
  return wrong;
};

const program = new Command('soak:rudp')
  .description(
    'rudp at full speed between two processes; fails if a message or the memory is wrong',
  )
  .option('--seconds <n>', 'how long', wholeNumber(0, 999_999), 600)
  .option(
    '--leak <bytes>',
    'keep so much for every message: shows that it can fail',
    wholeNumber(0, 999_999),
    0,
  );
program.parse();
const wrong = await soak(program.opts<Flags>());
for (const line of wrong) console.log(`FAILED: ${line}`);
if (wrong.length > 0) process.exitCode = 1;
else console.log('every message came once, whole and in order; memory is flat');
