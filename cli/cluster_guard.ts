/** Does I/O: a process that outlives this one to clear a cluster in a temporary folder away. */

import { spawn, type ChildProcess } from 'node:child_process';

/** A cluster that is being started on a machine under load is locked as long. */
const PATIENCE_S = 30;

/** What a guard looks after. */
export interface Guarded {
  /** All of it goes in the end. */
  readonly folder: string;
  /** The lock of whoever changes the cluster: its first line is the number of a process. */
  readonly lock: string;
  /** The words that stop the cluster; they fail as long as it cannot be stopped. */
  readonly stop: readonly string[];
}

const SCRIPT = `cat >/dev/null
  folder=$0 lock=$1 end=$(($(date +%s) + $2))
  shift 2
  until "$@" >/dev/null 2>&1 || [ "$(date +%s)" -ge "$end" ]; do sleep 0.2; done
  # Who still works on the cluster would be left with daemons that nobody knows of.
  kill -0 "$(head -n 1 "$lock" 2>/dev/null)" 2>/dev/null || rm -rf "$folder"`;

/** Stops the cluster and removes its folder when this process ends, unless it has killed the guard before. */
export const guardCluster = (
  { folder, lock, stop }: Guarded,
  patienceS: number = PATIENCE_S,
): ChildProcess => {
  const child = spawn('sh', ['-c', SCRIPT, folder, lock, String(patienceS), ...stop], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.unref();
  return child;
};
