import { expect } from 'chai';
import fc from 'fast-check';
import { RangeSet } from '../../rudp/range_set.ts';

const SPACE = 60;

const members = (set: RangeSet): number[] => {
  const numbers: number[] = [];
  for (let index = 0; index < set.count; index += 1) {
    for (let n = set.startOf(index); n < set.endOf(index); n += 1) numbers.push(n);
  }
  return numbers;
};

const step = fc.record({
  remove: fc.boolean(),
  start: fc.nat(SPACE),
  length: fc.nat(8),
});

describe('range set', () => {
  it('holds what a set of numbers holds, in the fewest ascending ranges', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const set = new RangeSet();
        let model = new Set<number>();
        for (const { remove, start, length } of steps) {
          if (remove && start % 4 === 0) {
            set.removeBelow(start);
            model = new Set([...model].filter((n) => n >= start));
            continue;
          }
          const before = model.size;
          for (let n = start; n < start + length; n += 1) model.add(n);
          expect(set.add(start, start + length)).to.equal(model.size - before);
        }
        expect(members(set)).to.eql([...model].sort((a, b) => a - b));
        for (let index = 1; index < set.count; index += 1) {
          expect(set.startOf(index)).to.be.greaterThan(set.endOf(index - 1));
        }
        for (let n = 0; n < SPACE + 10; n += 1) expect(set.has(n)).to.equal(model.has(n));
      }),
    );
  });

  it('covers a stretch only if all of it is there', () => {
    const set = new RangeSet();
    set.add(10, 20);
    set.add(30, 40);
    expect(set.covers(10, 20)).to.equal(true);
    expect(set.covers(9, 11)).to.equal(false);
    expect(set.covers(19, 21)).to.equal(false);
    expect(set.covers(15, 35)).to.equal(false);
    set.add(20, 30);
    expect(set.covers(10, 40)).to.equal(true);
    expect(set.count).to.equal(1);
  });

  it('gives up its lowest range', () => {
    const set = new RangeSet();
    expect(set.removeLowest()).to.equal(undefined);
    set.add(5, 7);
    set.add(9, 10);
    expect(set.removeLowest()).to.equal(7);
    expect(members(set)).to.eql([9]);
  });
});
