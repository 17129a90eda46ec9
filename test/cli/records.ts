/** Records of imaginary runs. */

import type { CommandRecord } from '../../cli/command_record.ts';

const MS = 1_000_000n;

/** A successful read of file 1 by n1 that took 1 ms, but for what `differences` say. */
export const recordOf = (differences: Partial<CommandRecord> = {}): CommandRecord => ({
  node: 'n1',
  index: 0,
  command: 'read',
  file: 1,
  ok: true,
  startNs: 0n,
  endNs: MS,
  ...differences,
});

/** Successful calls with these latencies, in ms. */
export const callsOf = (
  command: CommandRecord['command'],
  ...latenciesMs: readonly number[]
): CommandRecord[] =>
  latenciesMs.map((ms) => recordOf({ command, endNs: BigInt(Math.round(ms * 1e6)) }));
