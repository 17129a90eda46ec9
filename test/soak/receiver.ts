/** I/O: the receiving process of the soak: checks every message, and tells what it has when it is asked. */

import { RudpEndpoint } from '../../rudp/index.ts';
import { problemOf } from './load.ts';
import { memoryNow, type ReceiverReport } from './memory.ts';

/** Problems that are told; the first ones say it all. */
const MAX_PROBLEMS = 10;

const run = async (key: Uint8Array): Promise<void> => {
  const server = await RudpEndpoint.bind({ name: 'receiver', key });
  process.send?.({ port: server.port });
  const connection = await server.accept();
  if (connection === undefined) return;
  const next = new Map<number, number>();
  const problems: string[] = [];
  let messages = 0;
  let bytes = 0;
  connection.onRequest(() => {
    const report: ReceiverReport = { messages, bytes, problems, memory: memoryNow() };
    return new TextEncoder().encode(JSON.stringify(report));
  });
  for await (const { channel, message } of connection) {
    const sequence = next.get(channel) ?? 0;
    next.set(channel, sequence + 1);
    messages += 1;
    bytes += message.length;
    const problem = problemOf(channel, sequence, message);
    if (problem !== undefined && problems.length < MAX_PROBLEMS) problems.push(problem);
  }
  await server.close();
};

void run(new Uint8Array(Buffer.from(process.argv[2] ?? '', 'hex')));
