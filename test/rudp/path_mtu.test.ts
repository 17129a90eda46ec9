import { expect } from 'chai';
import { NEVER } from '../../rudp/millis.ts';
import { PathMtu } from '../../rudp/path_mtu.ts';

const LOOPBACK = 65_507;
const ETHERNET = 1_472;
const JUMBO = 8_972;

/** Lets a path that carries `carriedBytes` answer every probe; answers the sizes tried. */
const search = (mtu: PathMtu, carriedBytes: number, now = 0): number[] => {
  const tried: number[] = [];
  while (mtu.isProbeDue(true, now)) {
    const size = mtu.takeProbe();
    tried.push(size);
    if (size <= carriedBytes) mtu.onAcked(tried.length, size, now);
    else mtu.onProbeLost(size, now);
  }
  return tried;
};

/** A path on which something small has arrived already. */
const begun = (ceilingBytes: number): PathMtu => {
  const mtu = new PathMtu(ceilingBytes);
  mtu.onAcked(0, 40, 0);
  return mtu;
};

const loseLarge = (mtu: PathMtu, first: number, count: number): boolean => {
  let changed = false;
  for (let number = first; number < first + count; number += 1) {
    changed = mtu.onLost(number, mtu.currentBytes);
  }
  return changed;
};

describe('path mtu', () => {
  it('sends no probe and nothing above 1,200 bytes before a packet has arrived', () => {
    const mtu = new PathMtu(LOOPBACK);
    expect(mtu.isProbeDue(true, 0)).to.equal(false);
    expect(mtu).to.deep.include({ currentBytes: 1_200, state: { tag: 'base' } });
    mtu.onAcked(0, 40, 0);
    expect(mtu.isProbeDue(false, 0)).to.equal(true);
    expect(mtu.currentBytes).to.equal(1_200);
  });

  it('has one probe under way at a time', () => {
    const mtu = begun(ETHERNET);
    const size = mtu.takeProbe();
    expect(mtu.isProbeDue(true, 0)).to.equal(false);
    mtu.onAcked(1, size, 0);
    expect(mtu.isProbeDue(true, 0)).to.equal(true);
  });

  it('takes a whole loopback datagram at the first try, and then never looks again', () => {
    const mtu = begun(LOOPBACK);
    expect(search(mtu, LOOPBACK)).to.eql([LOOPBACK]);
    expect(mtu.state).to.eql({ tag: 'complete', raiseAt: NEVER });
  });

  it('tries each size three times on loopback, and halves what is left', () => {
    const mtu = begun(LOOPBACK);
    expect(search(mtu, 20_000)).to.eql([
      ...[LOOPBACK, LOOPBACK, LOOPBACK],
      1_472,
      16_356,
      ...[32_740, 32_740, 32_740],
    ]);
    expect(mtu.currentBytes).to.equal(16_356);
  });

  it('goes up step by step on a network, and ends with the first probe that is lost', () => {
    const jumbo = begun(JUMBO);
    expect(search(jumbo, JUMBO)).to.eql([1_252, 1_392, 1_448, 1_464, 1_472, JUMBO]);
    const tunnel = begun(JUMBO);
    expect(search(tunnel, 1_400)).to.eql([1_252, 1_392, 1_448]);
    expect(tunnel.currentBytes).to.equal(1_392);
    // A second probe would arrive in pieces, if a router has told the kernel the path's MTU.
    expect(search(tunnel, JUMBO, 600_000)).to.eql([]);
    expect(search(tunnel, JUMBO, 900_000)).to.eql([1_448, 1_464, 1_472, JUMBO]);
  });

  it('never goes beyond the interface', () => {
    for (const ceiling of [1_200, 1_201, 1_400, ETHERNET, 9_000]) {
      const mtu = begun(ceiling);
      search(mtu, LOOPBACK);
      expect(mtu.currentBytes).to.equal(ceiling);
    }
  });

  it('falls back to 1,200 bytes after the fourth large packet lost in a row', () => {
    const mtu = begun(JUMBO);
    search(mtu, JUMBO);
    expect(loseLarge(mtu, 10, 3)).to.equal(false);
    expect(mtu.currentBytes).to.equal(JUMBO);
    expect(loseLarge(mtu, 13, 1)).to.equal(true);
    expect(mtu).to.deep.include({ currentBytes: 1_200, blackHoles: 1, state: { tag: 'error' } });
  });

  it('stays while a large packet sent after the lost ones arrives', () => {
    const mtu = begun(JUMBO);
    search(mtu, JUMBO);
    mtu.onAcked(20, JUMBO, 0);
    expect(loseLarge(mtu, 10, 10)).to.equal(false);
    loseLarge(mtu, 21, 3);
    mtu.onAcked(30, JUMBO, 0);
    loseLarge(mtu, 31, 3);
    expect(mtu).to.include({ currentBytes: JUMBO, blackHoles: 0 });
  });

  it('does not count losses of small packets', () => {
    const mtu = begun(JUMBO);
    search(mtu, JUMBO);
    for (let number = 10; number < 30; number += 1) mtu.onLost(number, 1_200);
    expect(mtu.currentBytes).to.equal(JUMBO);
  });

  it('looks below the size of a black hole when a packet has arrived, and above it later', () => {
    const mtu = begun(LOOPBACK);
    search(mtu, LOOPBACK);
    loseLarge(mtu, 10, 4);
    expect(mtu.isProbeDue(true, 100)).to.equal(false);
    mtu.onAcked(20, 1_200, 100);
    expect(search(mtu, 9_000, 100)).to.eql([1_472, 16_356, 16_356, 16_356, 8_972]);
    expect(mtu.currentBytes).to.equal(8_972);
    expect(mtu.state).to.eql({ tag: 'complete', raiseAt: 2_100 });
    expect(mtu.isProbeDue(false, 2_100), 'without data to send').to.equal(false);
    expect(search(mtu, 9_000, 2_100)[0]).to.equal(LOOPBACK);
    expect(mtu.state, 'ever more rarely').to.eql({ tag: 'complete', raiseAt: 6_100 });
    expect(search(mtu, LOOPBACK, 6_100)).to.eql([LOOPBACK]);
    expect(mtu.state).to.eql({ tag: 'complete', raiseAt: NEVER });
  });

  it('takes a size back that was lost by chance, if one of its packets arrives after all', () => {
    const mtu = begun(JUMBO);
    search(mtu, JUMBO);
    loseLarge(mtu, 10, 4);
    expect(mtu.onAcked(9, JUMBO, 0)).to.equal(true);
    expect(mtu).to.deep.include({ currentBytes: JUMBO });
    expect(mtu.state).to.eql({ tag: 'complete', raiseAt: NEVER });
  });
});
