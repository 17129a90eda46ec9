import { expect } from 'chai';
import fc from 'fast-check';
import { Fifo } from '../../rudp/fifo.ts';

describe('fifo', () => {
  it('behaves like an array, over any mix of calls', () => {
    const call = fc.constantFrom('push', 'push', 'push', 'unshift', 'shift', 'clear' as const);
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), (calls) => {
        const fifo = new Fifo<number>();
        let model: number[] = [];
        calls.forEach((name, value) => {
          if (name === 'push') {
            fifo.push(value);
            model.push(value);
          } else if (name === 'unshift') {
            fifo.unshift(value);
            model.unshift(value);
          } else if (name === 'shift') {
            expect(fifo.shift()).to.equal(model.shift());
          } else if (value % 10 === 0) {
            fifo.clear();
            model = [];
          }
          expect(fifo.length).to.equal(model.length);
          expect(fifo.peek()).to.equal(model[0]);
        });
        expect(model.map((_, index) => fifo.at(index))).to.eql(model);
        expect(fifo.at(model.length)).to.equal(undefined);
      }),
    );
  });
});
