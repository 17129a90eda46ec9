import { expect } from 'chai';
import type { CommandRecord } from '../../../cli/command_record.ts';
import { acknowledged, lostWrites } from '../../../cli/experiment/lost_writes.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A write from `start` to `end`; without copies it was not acknowledged. */
const write = (text: string, start: number, end: number, copies?: number): CommandRecord => ({
  node: 'n1',
  index: 0,
  command: 'write',
  file: 7,
  offset: 0,
  data: bytes(text),
  ok: copies !== undefined,
  startNs: BigInt(start),
  endNs: BigInt(end),
  ...(copies === undefined ? {} : { copies }),
});

const last = (text: string) => new Map([[7, bytes(text)]]);

describe('lost writes', () => {
  const history = [write('a', 1, 2, 2), write('b', 3, 4, 2), write('c', 5, 6, 2)];

  it('are none if the last one is there', () => {
    expect(acknowledged(history)).to.have.length(3);
    expect(lostWrites(history, last('c'))).to.equal(0);
  });

  it('are those after the one that is there', () => {
    expect(lostWrites(history, last('a'))).to.equal(2);
    expect(lostWrites(history, last('...')), 'what was there before all of them').to.equal(3);
  });

  it('are not those that had no answer, nor those at the same time as the one that is there', () => {
    expect(lostWrites([...history, write('d', 7, 8)], last('c'))).to.equal(0);
    expect(lostWrites([write('a', 1, 9, 2), write('b', 3, 12, 2)], last('a'))).to.equal(0);
  });

  it('are none that are known if what is there had no answer', () => {
    expect(lostWrites([...history, write('d', 2, 3)], last('d'))).to.equal(0);
  });
});
