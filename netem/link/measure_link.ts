/** I/O: measures from outside whether a link does what it was told: datagrams through it, and a clock. */

import { spawn, type ChildProcess } from 'node:child_process';
import { besideModule } from '../program_place.ts';
import type { IpLink, LinkEnd } from './ip_link.ts';

const PROBE = besideModule('probe', import.meta.url);
const ECHO_PORT = 7007;
const SINK_PORT = 7009;
const ASKED = 2000;
const ASK_GAP_MS = 0.5;
const POUR_MS = 500;

export interface MeasuredLink {
  readonly sent: number;
  /** Of datagrams there and back; two equal directions make 1 - (1 - loss)². */
  readonly roundTripLoss: number;
  readonly medianRttMs: number;
  /** What came through of more than the rate, IP headers included; undefined if it was not asked for. */
  readonly mbit: number | undefined;
}

const start = (end: LinkEnd, ...args: readonly (string | number)[]): ChildProcess => {
  const words = [...end.enter, process.execPath, ...process.execArgv, PROBE, ...args.map(String)];
  const [program = '', ...rest] = words;
  return spawn(program, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
};

const message = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const ended = (): void => {
      reject(new Error('a probe of the link has ended early'));
    };
    child.once('exit', ended).once('message', (told) => {
      child.off('exit', ended);
      resolve(told as T);
    });
  });

const measureRate = async (link: IpLink): Promise<number> => {
  const sink = start(link.b, 'sink', SINK_PORT, POUR_MS);
  try {
    await message(sink);
    const pour = start(link.a, 'pour', link.b.address, SINK_PORT, POUR_MS);
    await message(pour);
    pour.disconnect();
    const told = message<{ readonly mbit: number }>(sink);
    sink.send({ tell: true });
    return (await told).mbit;
  } finally {
    sink.kill();
  }
};

/** Takes about two seconds, and two more for the rate from a to b. */
export const measureLink = async (link: IpLink, withRate = true): Promise<MeasuredLink> => {
  const echo = start(link.b, 'echo', ECHO_PORT);
  try {
    await message(echo);
    const ask = start(link.a, 'ask', link.b.address, ECHO_PORT, ASKED, ASK_GAP_MS);
    const { roundTripsMs } = await message<{ readonly roundTripsMs: number[] }>(ask);
    ask.disconnect();
    roundTripsMs.sort((x, y) => x - y);
    return {
      sent: ASKED,
      roundTripLoss: 1 - roundTripsMs.length / ASKED,
      medianRttMs: roundTripsMs[Math.floor(roundTripsMs.length / 2)] ?? Number.NaN,
      mbit: withRate ? await measureRate(link) : undefined,
    };
  } finally {
    echo.kill();
  }
};
