import { expect } from 'chai';
import { Barriers } from '../../cli/barriers.ts';

const barriers = (plan: Record<string, string[]>): Barriers =>
  new Barriers(new Map(Object.entries(plan)));

const met = (node: string, name: string) => ({ node, name, met: true });

describe('Barriers', () => {
  it('lets nobody pass before all sets that name the barrier have reached it', () => {
    const run = barriers({ a: ['x'], b: ['x'], c: [] });
    expect(run.arrive('a', 'x')).to.deep.equal([]);
    expect(run.arrive('b', 'x')).to.deep.equal([met('a', 'x'), met('b', 'x')]);
  });

  it('is passed at once by a set that is alone in naming it', () => {
    expect(barriers({ a: ['x'], b: ['y'] }).arrive('a', 'x')).to.deep.equal([met('a', 'x')]);
  });

  it('meets again at the same name, round by round', () => {
    const run = barriers({ a: ['x', 'x'], b: ['x', 'x'], c: ['x'] });
    run.arrive('a', 'x');
    run.arrive('b', 'x');
    expect(run.arrive('c', 'x')).to.have.length(3);
    expect(run.arrive('a', 'x')).to.deep.equal([]);
    expect(run.arrive('b', 'x')).to.deep.equal([met('a', 'x'), met('b', 'x')]);
  });

  it('does not wait for a set that ended before it reached the barrier', () => {
    const run = barriers({ a: ['x'], b: ['x'], c: ['x'] });
    run.arrive('a', 'x');
    expect(run.finish('b')).to.deep.equal([]);
    expect(run.finish('c')).to.deep.equal([met('a', 'x')]);
  });

  it('lets all go, unmet, when every set waits for another', () => {
    const run = barriers({ a: ['x', 'y'], b: ['y', 'x'] });
    run.arrive('a', 'x');
    expect(run.arrive('b', 'y')).to.deep.equal([
      { node: 'a', name: 'x', met: false },
      { node: 'b', name: 'y', met: false },
    ]);
  });

  it('does not call it a deadlock while one set still works', () => {
    const run = barriers({ a: ['x', 'y'], b: ['y', 'x'], c: [] });
    run.arrive('a', 'x');
    expect(run.arrive('b', 'y')).to.deep.equal([]);
    expect(run.finish('c')).to.have.length(2);
  });
});
