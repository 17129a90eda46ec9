import { expect } from 'chai';
import { NEVER } from '../../rudp/millis.ts';
import { PathMtu } from '../../rudp/path_mtu.ts';

const LARGE = 9000;

const loseLarge = (mtu: PathMtu, first: number, count: number): boolean => {
  let changed = false;
  for (let number = first; number < first + count; number += 1) {
    changed = mtu.onLost(number, LARGE, 100);
  }
  return changed;
};

describe('path mtu', () => {
  it('falls back to 1,200 bytes after the fourth large packet lost in a row', () => {
    const mtu = new PathMtu(LARGE);
    expect(loseLarge(mtu, 0, 3)).to.equal(false);
    expect(mtu.currentBytes).to.equal(LARGE);
    expect(loseLarge(mtu, 3, 1)).to.equal(true);
    expect(mtu).to.include({ currentBytes: 1200, blackHoles: 1 });
  });

  it('stays while a large packet sent after the lost ones arrives', () => {
    const mtu = new PathMtu(LARGE);
    mtu.onAcked(10, LARGE);
    expect(loseLarge(mtu, 0, 10)).to.equal(false);
    loseLarge(mtu, 11, 3);
    mtu.onAcked(20, LARGE);
    loseLarge(mtu, 21, 3);
    expect(mtu).to.include({ currentBytes: LARGE, blackHoles: 0 });
  });

  it('does not count losses of small packets', () => {
    const mtu = new PathMtu(LARGE);
    for (let number = 0; number < 20; number += 1) mtu.onLost(number, 1200, 0);
    expect(mtu.currentBytes).to.equal(LARGE);
  });

  it('tries the large size again, ever more rarely, and takes it when a probe arrives', () => {
    const mtu = new PathMtu(LARGE);
    expect(mtu.probeAt).to.equal(NEVER);
    loseLarge(mtu, 0, 4);
    expect(mtu.probeAt).to.equal(2_100);
    expect(mtu.takeProbe(2_100)).to.equal(LARGE);
    expect(mtu.probeAt).to.equal(6_100);
    expect(mtu.onLost(50, LARGE, 6_100)).to.equal(false);
    mtu.takeProbe(6_100);
    expect(mtu.onAcked(60, LARGE)).to.equal(true);
    expect(mtu).to.include({ currentBytes: LARGE, probeAt: NEVER });
  });
});
