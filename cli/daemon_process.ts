/** Does I/O: a daemon as a background process: starting it, hearing that it is ready, stopping it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { besideModule } from '../netem/program_place.ts';
import { FsError } from '../protocol/errors.ts';
import { STOP_LIMIT_MS } from '../protocol/stopping.ts';
import { EXIT, type ExitStatus } from './exit_status.ts';
import { readableLine } from './log.ts';
import {
  identify,
  isRunning,
  removeProcessFile,
  writeProcessFile,
  type ProcessIdentity,
} from './process_file.ts';

/** Longer than a cacher tries to reach its server, so that it can say so itself. */
const READY_TIMEOUT_MS = 20_000;
/** For what follows the bounded part of a stop: the last sync, and the goodbyes. */
const STOP_MARGIN_MS = 5000;
/** Longer than the bounded orderly stop of a daemon, so that a kill means that something hangs. */
const STOP_TIMEOUT_MS = STOP_LIMIT_MS + STOP_MARGIN_MS;
const STOP_POLL_MS = 10;
const TAIL_LINES = 12;

/** The program itself: compiled, or its source when that is what runs now. */
export const PROGRAM = besideModule('main', import.meta.url);

export interface DaemonCommand {
  readonly name: string;
  /** Words before the command that have it run somewhere else, as in a network namespace. */
  readonly enter: readonly string[];
  readonly args: readonly string[];
  readonly pidFile: string;
  readonly logFile: string;
}

/** Tells whoever started this daemon that it serves now. */
const announceReady = (): void => {
  process.send?.({ type: 'ready' });
};

const tail = (path: string, fromByte: number): string => {
  const lines = readFileSync(path).subarray(fromByte).toString().trimEnd().split('\n');
  return lines.slice(-TAIL_LINES).map(readableLine).join('\n  ');
};

const readiness = (child: ChildProcess): Promise<string | undefined> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(`is not ready after ${READY_TIMEOUT_MS / 1000} s`);
    }, READY_TIMEOUT_MS);
    const settle = (problem: string | undefined): void => {
      clearTimeout(timer);
      resolve(problem);
    };
    child.once('message', () => {
      settle(undefined);
    });
    child.once('error', (error) => {
      settle(`cannot be started: ${error.message}`);
    });
    child.once('exit', (status, signal) => {
      settle(`ended at its start (${signal ?? `exit status ${status ?? ''}`})`);
    });
  });

/** The same loader arguments as this process: from source, daemons run from source too. */
const THIS_PROGRAM: readonly string[] = [...process.execArgv, PROGRAM];

/**
 * Starts a daemon that outlives this process, and waits until it is ready.
 * @throws FsError with the last lines of its log if it does not come up; nothing of it is left then.
 */
export const startDaemon = async (
  command: DaemonCommand,
  program = THIS_PROGRAM,
): Promise<void> => {
  const log = openSync(command.logFile, 'a');
  const logStart = statSync(command.logFile).size;
  const words = [...command.enter, process.execPath, ...program, ...command.args];
  const child = spawn(words[0] ?? '', words.slice(1), {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (identity !== undefined) writeProcessFile(command.pidFile, identity);
  const problem = await readiness(child);
  if (child.connected) child.disconnect();
  child.unref();
  if (problem === undefined) return;
  if (identity !== undefined) await stopDaemon(identity, command.pidFile);
  throw new FsError(
    'EIO',
    `${command.name} ${problem}; the end of ${command.logFile}:\n  ${tail(command.logFile, logStart)}`,
  );
};

const signal = ({ pid }: ProcessIdentity, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in between.
  }
};

/** Waits until the process is gone; false if it is still there after the time. */
const isGoneWithin = async (identity: ProcessIdentity, timeoutMs: number): Promise<boolean> => {
  for (let waitedMs = 0; isRunning(identity); waitedMs += STOP_POLL_MS) {
    if (waitedMs >= timeoutMs) return false;
    await pause(STOP_POLL_MS);
  }
  return true;
};

/** Asks the daemon to stop, in order; kills it when it has not after a while. */
export const stopDaemon = async (
  identity: ProcessIdentity,
  pidFile: string,
): Promise<'stopped' | 'killed'> => {
  signal(identity, 'SIGTERM');
  const stopped = await isGoneWithin(identity, STOP_TIMEOUT_MS);
  if (!stopped) {
    signal(identity, 'SIGKILL');
    await isGoneWithin(identity, STOP_TIMEOUT_MS);
  }
  removeProcessFile(pidFile);
  return stopped ? 'stopped' : 'killed';
};

/** Kills the daemon where it is, and waits until it is gone. Its process file stays: nothing runs under it. */
export const killDaemon = async (identity: ProcessIdentity): Promise<void> => {
  signal(identity, 'SIGKILL');
  await isGoneWithin(identity, STOP_TIMEOUT_MS);
};

/** How long the log of a daemon is now, to look at what comes later. */
export const logLength = (logFile: string): number =>
  existsSync(logFile) ? statSync(logFile).size : 0;

/** The error that a daemon told when it ended, in its log after `fromByte`; it has none after an orderly stop. */
export const errorToldSince = (logFile: string, fromByte: number): string | undefined => {
  if (!existsSync(logFile)) return undefined;
  const lines = readFileSync(logFile).subarray(fromByte).toString().split('\n');
  return lines.flatMap((line) => /^coopfs (?:server|cacher): (.*)$/.exec(line)?.[1] ?? []).at(-1);
};

/** A daemon that runs in this process. */
export interface RunningDaemon {
  /** Settles when it has stopped: with undefined after an orderly stop, else with the reason. */
  readonly stopped: Promise<Error | undefined>;
  /** Asks it to stop, in order and in bounded time. */
  readonly stop: () => void;
}

/**
 * Runs the daemon until it stops, for which SIGTERM and SIGINT ask it.
 * @throws the reason if it stopped otherwise than in order.
 */
export const untilStopped = async (daemon: RunningDaemon): Promise<ExitStatus> => {
  const stop = (): void => {
    daemon.stop();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Only now: whoever hears it may stop this process at once, and that is to be in order.
  announceReady();
  const reason = await daemon.stopped;
  if (process.connected) process.disconnect();
  if (reason !== undefined) throw reason;
  return EXIT.ok;
};
