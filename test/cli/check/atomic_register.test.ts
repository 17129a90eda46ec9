import { expect } from 'chai';
import fc from 'fast-check';
import { checkHistory } from '../../../cli/check/check_history.ts';
import type { Operation } from '../../../cli/check/operation.ts';

const SIZE_BYTES = 32;
const CLIENTS = 5;

interface Call {
  readonly isRead: boolean;
  readonly offset: number;
  readonly length: number;
  readonly before: number;
  readonly after: number;
  readonly pause: number;
  readonly unanswered: boolean;
}

const call: fc.Arbitrary<Call> = fc.record({
  isRead: fc.boolean(),
  offset: fc.nat(SIZE_BYTES - 8),
  length: fc.integer({ min: 1, max: 8 }),
  before: fc.nat(40),
  after: fc.nat(40),
  pause: fc.nat(10),
  unanswered: fc.integer({ min: 0, max: 40 }).map((dice) => dice === 0),
});

interface Timed extends Call {
  readonly client: number;
  readonly startNs: number;
  readonly at: number;
}

/** The history of calls that each happen at one moment on a real register. */
const historyOf = (calls: readonly Call[]): Operation[] => {
  const free = new Array<number>(CLIENTS).fill(0);
  const timed = calls.map((each, index): Timed => {
    const client = index % CLIENTS;
    const startNs = (free[client] ?? 0) + each.pause + 1;
    const at = startNs + each.before;
    free[client] = at + each.after;
    return { ...each, client, startNs, at };
  });
  const contents = new Uint8Array(SIZE_BYTES);
  const operations: Operation[] = [];
  timed.sort((a, b) => a.at - b.at);
  for (const [index, each] of timed.entries()) {
    const { offset, length, client, startNs, at, after, unanswered } = each;
    const common = {
      file: 0,
      process: client,
      offset,
      startNs,
      endNs: unanswered ? undefined : at + after,
    };
    if (each.isRead) {
      operations.push({
        ...common,
        kind: 'read',
        length,
        bytes: contents.slice(offset, offset + length),
      });
      continue;
    }
    const bytes = new Uint8Array(length).fill(1 + (index % 255));
    contents.set(bytes, offset);
    operations.push({ ...common, kind: 'write', bytes });
  }
  return operations;
};

const verdictOf = (operations: readonly Operation[]): string =>
  checkHistory(operations, { initialContents: () => new Uint8Array(SIZE_BYTES) }).verdict;

describe('histories of an atomic register', () => {
  it('are linearizable', () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 120 }), (calls) => {
        expect(verdictOf(historyOf(calls))).to.equal('linearizable');
      }),
      { numRuns: 200 },
    );
  });

  it('mostly are not, once one read is given the bytes of a much earlier one', () => {
    let mutated = 0;
    let found = 0;
    fc.assert(
      fc.property(fc.array(call, { minLength: 100, maxLength: 200 }), fc.nat(), (calls, choice) => {
        const operations = historyOf(calls).filter(({ endNs }) => endNs !== undefined);
        const reads = operations.flatMap((each, index) =>
          each.kind === 'read' && each.bytes.some((byte) => byte !== 0) ? [index] : [],
        );
        const index = reads[choice % Math.max(1, reads.length)];
        const read = index === undefined ? undefined : operations[index];
        if (index === undefined || read === undefined || index < operations.length / 2) return;
        mutated += 1;
        operations[index] = { ...read, bytes: new Uint8Array(read.bytes.length) };
        if (verdictOf(operations) === 'violation') found += 1;
      }),
      { numRuns: 100 },
    );
    expect(mutated).to.be.above(20);
    expect(found / mutated).to.be.above(0.8);
  });
});
