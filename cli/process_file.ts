/**
 * Does I/O: files that name a running process. The number of a process is given away again after it
 * ended, so a second line holds its start time (proc(5), /proc/PID/stat, field 22).
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** In clock ticks after boot; undefined where there is no /proc. */
  readonly startTicks: string | undefined;
}

// Fields of /proc/PID/stat after the name of the program, which may itself hold blanks and brackets.
const STATE_FIELD = 0;
const START_FIELD = 19;

const statFields = (pid: number): string[] | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
};

const answersSignals = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** The process that has this number now. */
export const identify = (pid: number): ProcessIdentity => ({
  pid,
  startTicks: statFields(pid)?.[START_FIELD],
});

/** True while that very process runs; a zombie and a later process of the same number do not count. */
export const isRunning = ({ pid, startTicks }: ProcessIdentity): boolean => {
  if (!answersSignals(pid)) return false;
  const fields = statFields(pid);
  if (fields === undefined) return startTicks === undefined;
  return fields[STATE_FIELD] !== 'Z' && (startTicks ?? fields[START_FIELD]) === fields[START_FIELD];
};

const asText = ({ pid, startTicks }: ProcessIdentity): string => `${pid}\n${startTicks ?? ''}\n`;

export const writeProcessFile = (path: string, identity: ProcessIdentity): void => {
  writeFileSync(path, asText(identity));
};

/** The process that `path` names, if there is such a file and the process still runs. */
export const readProcessFile = (path: string): ProcessIdentity | undefined => {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
  const [pid = '', start = ''] = text.split('\n');
  if (!/^[1-9]\d{0,9}$/.test(pid)) return undefined;
  const identity = { pid: Number(pid), startTicks: start === '' ? undefined : start };
  return isRunning(identity) ? identity : undefined;
};

export const removeProcessFile = (path: string): void => {
  rmSync(path, { force: true });
};

/**
 * Takes `path` as a lock for this process; undefined if it is taken, else the way to release it. A
 * lock whose process is gone is taken over.
 */
export const lockByProcessFile = (path: string): (() => void) | undefined => {
  const text = asText(identify(process.pid));
  for (const retry of [true, false]) {
    try {
      writeFileSync(path, text, { flag: 'wx' });
      return () => {
        removeProcessFile(path);
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (!retry || readProcessFile(path) !== undefined) return undefined;
      removeProcessFile(path);
    }
  }
  return undefined;
};
