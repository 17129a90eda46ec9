import { expect } from 'chai';
import { COURSE, type Candidate } from '../../cacher/replacement.ts';

const candidate = (lastUsedMs: number, copies: number, clean = true): Candidate => ({
  lastUsedMs,
  copies,
  clean,
});

describe('the replacement order of the course', () => {
  it('gives up a clean file with more than two copies first, however new', () => {
    const many = candidate(90, 3);
    expect(COURSE.choose([candidate(1, 1), candidate(2, 2), many])).to.equal(many);
  });

  it('then a clean file with one other copy', () => {
    const two = candidate(90, 2);
    expect(COURSE.choose([candidate(1, 1), two])).to.equal(two);
  });

  it('then whatever was used longest ago, dirty or clean', () => {
    const dirty = candidate(1, 5, false);
    expect(COURSE.choose([candidate(2, 1), dirty])).to.equal(dirty);
    const clean = candidate(0, 1);
    expect(COURSE.choose([dirty, clean])).to.equal(clean);
  });

  it('takes the oldest of its kind', () => {
    const old = candidate(3, 3);
    expect(COURSE.choose([candidate(5, 4), old, candidate(4, 3)])).to.equal(old);
  });

  it('does not count a dirty file among those that others hold', () => {
    const clean = candidate(9, 2);
    expect(COURSE.choose([candidate(1, 3, false), clean])).to.equal(clean);
  });

  it('has nothing to choose from an empty list', () => {
    expect(COURSE.choose<Candidate>([])).to.equal(undefined);
  });

  it('moves a last copy twice before it drops it (N-chance, N = 2)', () => {
    expect(COURSE.chances).to.equal(2);
  });
});
