import { expect } from 'chai';
import { EventQueue } from './event_queue.ts';
import { Prng } from './prng.ts';

describe('the queue of virtual time', () => {
  it('runs what is planned in order of time, and of being planned where times are equal', () => {
    const queue = new EventQueue();
    const prng = new Prng(7);
    const planned: { at: number; order: number }[] = [];
    const seen: typeof planned = [];
    for (let order = 0; order < 500; order++) {
      const item = { at: prng.below(50), order };
      planned.push(item);
      queue.at(item.at, () => seen.push(item));
    }
    while (queue.step());
    planned.sort((a, b) => a.at - b.at || a.order - b.order);
    expect(seen).to.deep.equal(planned);
    expect(queue.now).to.equal(planned.at(-1)!.at);
  });

  it('runs what is planned for the past now', () => {
    const queue = new EventQueue();
    const times: number[] = [];
    queue.at(10, () => {
      queue.at(3, () => times.push(queue.now));
    });
    while (queue.step());
    expect(times).to.deep.equal([10]);
  });
});
