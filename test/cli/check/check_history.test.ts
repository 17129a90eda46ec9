import { expect } from 'chai';
import fc from 'fast-check';
import { checkHistory, type Verdict } from '../../../cli/check/check_history.ts';
import { showOperation, type Operation } from '../../../cli/check/operation.ts';
import { FsError } from '../../../protocol/errors.ts';
import { isLinearizable } from './brute_force.ts';

const encoder = new TextEncoder();

type Span = readonly [startNs: number, endNs: number | undefined];

const write = (text: string, [startNs, endNs]: Span, offset = 0, file = 0): Operation => ({
  ...{ kind: 'write', process: 'w', file, offset, startNs, endNs },
  bytes: encoder.encode(text),
});

const read = (text: string, [startNs, endNs]: Span, offset = 0, file = 0): Operation => ({
  ...{ kind: 'read', process: 'r', file, offset, startNs, endNs, length: text.length },
  bytes: encoder.encode(text),
});

const filled = (): Uint8Array => encoder.encode('....');

const check = (...operations: Operation[]): Verdict =>
  checkHistory(operations, { initialContents: filled });

const pieceOf = (verdict: Verdict): string[] =>
  verdict.verdict === 'violation'
    ? verdict.piece.map(({ kind, bytes }) => `${kind} ${Buffer.from(bytes).toString()}`)
    : [];

describe('known good histories are linearizable', () => {
  const good: Record<string, Operation[]> = {
    'nothing at all': [],
    'the filling': [read('....', [1, 2]), read('..', [1, 2], 2)],
    'a write, then a read of it': [write('abcd', [1, 2]), read('abcd', [3, 4])],
    'a read during a write, old': [write('abcd', [1, 4]), read('....', [2, 3])],
    'a read during a write, new': [write('abcd', [1, 4]), read('abcd', [2, 3])],
    'two writes at once, seen in either order': [
      ...[write('aaaa', [1, 4]), write('bbbb', [1, 4])],
      ...[read('bbbb', [2, 3]), read('aaaa', [5, 6])],
    ],
    'partial writes side by side': [
      write('ab', [1, 2]),
      write('cd', [3, 4], 2),
      read('abcd', [5, 6]),
    ],
    'overlapping writes, of which parts remain': [
      ...[write('aaa', [1, 3]), write('bbb', [1, 3], 1)],
      ...[read('abbb', [4, 5]), read('bb', [4, 5], 2)],
    ],
    'a write without an answer that happens late': [
      ...[write('abcd', [1, undefined]), read('....', [2, 3])],
      ...[read('abcd', [4, 5]), read('abcd', [6, 7])],
    ],
    'a write without an answer that never happens': [
      ...[write('abcd', [1, undefined]), read('....', [8, 9])],
    ],
    'an end and a start at one moment, which are at once': [
      write('abcd', [1, 2]),
      read('....', [2, 3]),
    ],
    'a value written twice': [
      ...[write('aaaa', [1, 2]), write('bbbb', [3, 4]), read('bbbb', [5, 6])],
      ...[write('aaaa', [7, 8]), read('aaaa', [9, 10])],
    ],
  };
  for (const [name, operations] of Object.entries(good)) {
    it(name, () => {
      expect(check(...operations).verdict).to.equal('linearizable');
    });
  }
});

describe('known bad histories are not linearizable', () => {
  const bad: Record<string, [Operation[], string[]]> = {
    'a stale read': [
      [write('aaaa', [1, 2]), write('bbbb', [3, 4]), read('aaaa', [5, 6]), read('bbbb', [7, 8])],
      ['write aaaa', 'write bbbb', 'read aaaa'],
    ],
    'a lost update': [
      [read('....', [1, 2]), write('abcd', [3, 4]), read('....', [5, 6])],
      ['write abcd', 'read ....'],
    ],
    'new, then old': [
      [write('abcd', [1, 9]), read('abcd', [2, 3]), read('....', [4, 5])],
      ['write abcd', 'read abcd', 'read ....'],
    ],
    'two orders of two writes': [
      [
        ...[write('aaaa', [1, 9]), write('bbbb', [1, 9])],
        ...[read('aaaa', [2, 3]), read('bbbb', [4, 5]), read('aaaa', [6, 7])],
      ],
      ['write aaaa', 'write bbbb', 'read aaaa', 'read bbbb', 'read aaaa'],
    ],
    'a value nobody wrote': [[write('abcd', [1, 2]), read('abce', [3, 4])], ['read abce']],
    'a value from the future': [[read('abcd', [1, 2]), write('abcd', [3, 4])], ['read abcd']],
    'a torn read of one write': [[write('abcd', [1, 9]), read('ab..', [2, 3])], ['read ab..']],
    'a torn read of two writes': [
      [write('aaaa', [1, 9]), write('bbbb', [1, 9]), read('aabb', [2, 3])],
      ['read aabb'],
    ],
    'a write without an answer, seen and gone': [
      [write('abcd', [1, undefined]), read('abcd', [2, 3]), read('....', [4, 5])],
      ['write abcd', 'read abcd', 'read ....'],
    ],
    'a write without an answer, seen before it was called': [
      [read('abcd', [1, 2]), write('abcd', [3, undefined])],
      ['read abcd'],
    ],
  };
  for (const [name, [operations, piece]] of Object.entries(bad)) {
    it(name, () => {
      const verdict = check(...operations);
      expect(verdict.verdict).to.equal('violation');
      expect(pieceOf(verdict)).to.deep.equal(piece);
    });
  }

  it('a read that is shorter than what was left of the file', () => {
    const short = { ...read('..', [1, 2]), length: 3 } as Operation;
    const verdict = check(short);
    expect(verdict).to.include({ verdict: 'violation' });
    const atEnd = { ...read('..', [1, 2], 2), length: 100 } as Operation;
    expect(check(atEnd).verdict).to.equal('linearizable');
  });

  it('says which byte was never written, and which bytes mix writes', () => {
    const never = check(read('..x.', [1, 2]));
    expect(never).to.have.property('message').that.includes('byte 2 was read as "x"');
    const torn = check(write('aaaa', [1, 9]), write('bbbb', [1, 9]), read('aabb', [2, 3]));
    expect(torn).to.have.property('message').that.includes('mixes writes');
  });

  it('finds the piece in a long history', () => {
    const operations: Operation[] = [];
    for (let at = 0; at < 3000; at += 1) {
      const text = at.toString(36).padStart(4, '0');
      operations.push(write(text, [4 * at, 4 * at + 1]), read(text, [4 * at + 2, 4 * at + 3]));
    }
    const stale = operations[4001];
    if (stale !== undefined) operations[4001] = { ...stale, bytes: encoder.encode('01ji') };
    const piece = pieceOf(check(...operations));
    expect(piece).to.include('read 01ji');
    expect(piece.length).to.be.at.most(4);
  });
});

describe('the checker', () => {
  it('checks each file by itself, and counts', () => {
    const fine = check(write('abcd', [1, 2]), read('....', [3, 4], 0, 1));
    expect(fine).to.deep.equal({ verdict: 'linearizable', operations: 2, files: 2 });
    const wrong = check(
      write('abcd', [1, 2], 0, 5),
      read('....', [3, 4], 0, 5),
      read('....', [3, 4]),
    );
    expect(wrong).to.include({ verdict: 'violation', file: 5 });
  });

  it('takes times as bigints, also beyond 2^53', () => {
    const at = (time: number): bigint => 2n ** 60n + BigInt(time);
    const timed = (operation: Operation): Operation => ({
      ...operation,
      startNs: at(operation.startNs as number),
      endNs: at(operation.endNs as number),
    });
    const stale = [write('aaaa', [1, 2]), write('bbbb', [3, 4]), read('aaaa', [5, 6])].map(timed);
    expect(check(...stale).verdict).to.equal('violation');
  });

  it('takes a bigint and a number for one moment', () => {
    const first = { ...write('abcd', [1, 2]), endNs: 2n };
    expect(check(first, read('....', [2, 3])).verdict).to.equal('linearizable');
  });

  it('refuses operations that cannot be', () => {
    for (const operation of [write('abcde', [1, 2]), read('a', [1, 2], 4), read('....', [2, 1])]) {
      expect(() => check(operation), showOperation(operation)).to.throw(FsError);
    }
    expect(() => check(write('a', [1, 2], -1))).to.throw(FsError, 'no offset');
  });

  it('does not pass what it could not decide', () => {
    const operations: Operation[] = [];
    for (let at = 0; at < 8; at += 1) operations.push(write(`${at}${at}${at}${at}`, [1, 100]));
    operations.push(read('3333', [101, 102]), read('5555', [99, 103]));
    const limits = { stepsPerFile: 2, minimiseSteps: 10 };
    const verdict = checkHistory(operations, { initialContents: filled, limits });
    expect(verdict.verdict).to.equal('undecided');
    expect(check(...operations).verdict).to.equal('linearizable');
  });

  it('shows an operation in one line', () => {
    const shown = showOperation({ ...write('a"\n', [1, undefined]), process: 'n1' });
    expect(shown).to.equal('n1: write file 0 at 0: "a\\"\\x0a" [1 .. no answer]');
  });
});

/** Small histories whose values collide often. */
const smallHistory = fc.array(
  fc.record({
    isRead: fc.boolean(),
    offset: fc.nat(2),
    text: fc.stringMatching(/^[.ab]{1,2}$/),
    start: fc.nat(12),
    duration: fc.option(fc.nat(8), { nil: undefined, freq: 6 }),
  }),
  { maxLength: 6 },
);

describe('the checker beside the definition', () => {
  it('agrees on every small history', () => {
    let illegal = 0;
    fc.assert(
      fc.property(smallHistory, (calls) => {
        const operations = calls.map(({ isRead, offset, text, start, duration }) => {
          const span = [start, duration === undefined ? undefined : start + duration] as const;
          return isRead ? read(text, span, offset) : write(text, span, offset);
        });
        const verdict = check(...operations);
        const expected = isLinearizable(operations, filled());
        if (!expected) illegal += 1;
        expect(verdict.verdict).to.equal(expected ? 'linearizable' : 'violation');
        if (verdict.verdict !== 'violation') return;
        expect(isLinearizable(verdict.piece, filled())).to.equal(false);
      }),
      { numRuns: 3000 },
    );
    expect(illegal).to.be.above(300);
  });
});
