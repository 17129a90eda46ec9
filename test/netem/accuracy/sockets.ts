/** Does I/O: measures the engine `relay` on real sockets, by as many processes as there are cores to do it. */

import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Measured } from './amounts.ts';

const PROGRAM = fileURLToPath(new URL('sockets_process.ts', import.meta.url));
const PROCESSES_LIMIT = 4;

/** Round trips of one link in ms, without and with the profile. */
export interface Timed {
  readonly profile: string;
  readonly bare: readonly number[];
  readonly trips: readonly number[];
}

/** Datagrams of one link. */
export interface Counted {
  readonly profile: string;
  readonly sent: number;
  readonly lost: number;
}

type Told = Timed | Counted | 'timed';

/** Resolves when the process has told that it has timed its round trips, and at its end. @throws if it fails. */
const follow = (child: ChildProcess, records: (Timed | Counted)[]) => {
  const ended = new Promise<void>((resolve, reject) => {
    child.once('exit', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`a process that measures has ended with status ${String(status)}`));
    });
  });
  const timed = new Promise<void>((resolve) => {
    child.on('message', (told: Told) => {
      if (told === 'timed') resolve();
      else records.push(told);
    });
  });
  return { ended, timed: Promise.race([timed, ended]) };
};

/** All profiles, by their names. @param whileCounting what is to be done meanwhile, when no time is measured. */
export const measureSockets = async (
  seed: number,
  whileCounting: () => void,
): Promise<(profile: string) => Measured> => {
  const records: (Timed | Counted)[] = [];
  const of = Math.min(PROCESSES_LIMIT, availableParallelism());
  const children = Array.from({ length: of }, (_, index) =>
    fork(PROGRAM, [index, of, seed].map(String)),
  );
  const followed = children.map((child) => follow(child, records));
  try {
    await Promise.all(followed.map(({ timed }) => timed));
    for (const child of children) child.send('count');
    whileCounting();
    await Promise.all(followed.map(({ ended }) => ended));
  } finally {
    for (const child of children) child.kill();
  }
  return (profile) => {
    const own = records.filter((each) => each.profile === profile);
    const timed = own.filter((each) => 'trips' in each);
    const counted = own.filter((each) => 'lost' in each);
    return {
      bare: timed.flatMap(({ bare }) => bare),
      trips: timed.flatMap(({ trips }) => trips),
      sent: counted.reduce((sum, { sent }) => sum + sent, 0),
      lost: counted.reduce((sum, { lost }) => sum + lost, 0),
    };
  };
};
