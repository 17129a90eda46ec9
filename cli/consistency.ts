/** The verdict on a run: is the history of all its nodes together linearizable, file by file? */

import { checkHistory } from './check/check_history.ts';
import { showOperation, type Operation } from './check/operation.ts';
import type { CommandRecord } from './command_record.ts';
import { EXIT, type ExitStatus } from './exit_status.ts';
import { counted } from './text_table.ts';

export interface Consistency {
  readonly status: ExitStatus;
  readonly lines: readonly string[];
}

/** Errors after which nobody knows whether the write was applied; after others it was not. */
const UNKNOWN_OUTCOME: ReadonlySet<string | undefined> = new Set([
  undefined,
  'ECONNLOST',
  'EIO',
  'EPROTO',
  'ESHUTDOWN',
  'ETIMEDOUT',
]);

const operationOf = (
  record: CommandRecord,
  initialContents: (file: number) => Uint8Array,
): Operation[] => {
  const { node: process, command, file, offset, data, startNs, endNs } = record;
  if (file === undefined || offset === undefined || data === undefined) return [];
  const call = { process, file, offset, startNs };
  if (command === 'read') {
    return [{ kind: 'read', ...call, endNs, length: data.length, bytes: data }];
  }
  if (command !== 'write') return [];
  if (record.copies !== undefined) return [{ kind: 'write', ...call, endNs, bytes: data }];
  if (record.error === undefined || !UNKNOWN_OUTCOME.has(record.errorCode)) return [];
  const room = Math.max(0, initialContents(file).length - offset);
  return [{ kind: 'write', ...call, endNs: undefined, bytes: data.subarray(0, room) }];
};

/** Reads and writes of a run, as the checker takes them. */
export const historyOf = (
  records: readonly CommandRecord[],
  initialContents: (file: number) => Uint8Array,
): Operation[] => records.flatMap((record) => operationOf(record, initialContents));

/** Checks a run. `initialContents` are whole files as they were before it. */
export const judgeHistory = (
  records: readonly CommandRecord[],
  initialContents: (file: number) => Uint8Array,
): Consistency => {
  const operations = historyOf(records, initialContents);
  const result = checkHistory(operations, { initialContents });
  switch (result.verdict) {
    case 'linearizable': {
      const what = `${counted(result.operations, 'operation')} on ${counted(result.files, 'file')}`;
      return { status: EXIT.ok, lines: [`linearizable: yes (${what})`] };
    }
    case 'violation':
      return {
        status: EXIT.notLinearizable,
        lines: [
          `linearizable: no (file ${result.file}); these cannot have happened in any order:`,
          ...result.piece.map((operation) => `  ${showOperation(operation)}`),
        ],
      };
    case 'undecided':
      return { status: EXIT.failed, lines: ['linearizable: undecided, the search was too long'] };
  }
};
