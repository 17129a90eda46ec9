/** I/O: messages of 64 KiB one way, until the last has arrived. */

import { setTimeout as sleep } from 'node:timers/promises';
import { connectAnew, countOf, type Figures, type Scene } from '../bench_run.ts';
import { BULK_BYTES, type Poured, type ServerCount } from '../../../netem/transports/jobs.ts';
import { isClean } from '../links.ts';

const WARM_MESSAGES = 64;
const WARM_MS = 500;
const POLL_MS = 20;
/** More than any transport sends in a phase, where the link has no rate of its own. */
const UNLIMITED = 1_000_000;

/** As much as the link can carry in the time: all peers carry the same, and end when they have. */
const messagesFor = (scene: Scene): number => {
  const rateMbit = scene.profile.settings?.rateMbit;
  if (rateMbit === undefined) return UNLIMITED;
  return Math.ceil((rateMbit * 1e6 * scene.seconds) / 8 / BULK_BYTES);
};

/** The count once `messages` have come since `before`, or when the time is over. */
const untilArrived = async (
  scene: Scene,
  before: ServerCount,
  messages: number,
  untilMs: number,
): Promise<ServerCount> => {
  while (true) {
    const count = await countOf(scene.server);
    if (count.nowMs >= untilMs || count.messages - before.messages >= messages) return count;
    await sleep(POLL_MS);
  }
};

export const bulk = async (scene: Scene): Promise<Figures> => {
  const { server, client, place, seconds } = scene;
  await connectAnew(scene, 1);
  if (isClean(scene.profile)) {
    await client.ask({ do: 'pour', messages: WARM_MESSAGES, ms: WARM_MS });
    await sleep(WARM_MS);
  }
  const before = await countOf(server);
  await place.link?.resetStats();
  const messages = messagesFor(scene);
  const ms = seconds * 1000 * (messages === UNLIMITED ? 1 : 2);
  const poured = await client.ask<Poured>({ do: 'pour', messages, ms });
  // What was taken by a large buffer has its time to travel, too.
  const untilMs = poured.begunMs + ms + seconds * 1000;
  const after = await untilArrived(scene, before, poured.sent, untilMs);
  const stats = await place.link?.stats();
  await client.ask({ do: 'close' });
  const bytes = after.bytes - before.bytes;
  const complete = after.messages - before.messages >= poured.sent;
  const tookMs = (complete ? after.lastAtMs : after.nowMs) - poured.begunMs;
  return {
    mbPerSecond: bytes / 1000 / tookMs,
    cpuPerGb: ((poured.cpuSeconds + after.cpuSeconds - before.cpuSeconds) * 1e9) / bytes,
    complete: complete ? 1 : 0,
    errors: after.wrong - before.wrong,
    ...(stats === undefined
      ? {}
      : { wirePerByte: stats.ab.bytes / bytes, wireBackPerByte: stats.ba.bytes / bytes }),
  };
};
