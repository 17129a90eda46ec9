import { expect } from 'chai';
import { KeyUpdate } from '../../rudp/key_update.ts';

const PACKETS = 100;
const AGE_MS = 1000;

const setUp = () => {
  const protection = {
    overhead: 0,
    generation: 0,
    update: () => void (protection.generation += 1),
    seal: (_buffer: Uint8Array, _header: number, end: number) => end,
    open: (datagram: Uint8Array) => datagram,
  };
  return { protection, keys: new KeyUpdate(protection, PACKETS, AGE_MS, 0) };
};

describe('key update', () => {
  it('comes after as many packets as are set, not one earlier', () => {
    const { protection, keys } = setUp();
    keys.onAcked(0);
    for (let number = 0; number < PACKETS; number += 1) keys.beforeSealing(number, 0);
    expect(protection.generation).to.equal(0);
    keys.beforeSealing(PACKETS, 0);
    expect(protection.generation).to.equal(1);
  });

  it('comes with the first packet after the time that is set, not one earlier', () => {
    const { protection, keys } = setUp();
    keys.onAcked(0);
    keys.beforeSealing(1, AGE_MS - 1);
    expect(protection.generation).to.equal(0);
    keys.beforeSealing(2, AGE_MS);
    expect(protection.generation).to.equal(1);
    keys.onAcked(2);
    keys.beforeSealing(3, 2 * AGE_MS - 1);
    expect(protection.generation).to.equal(1);
    keys.beforeSealing(4, 2 * AGE_MS);
    expect(protection.generation).to.equal(2);
  });

  it('waits until the peer has acknowledged a packet under the present keys', () => {
    const { protection, keys } = setUp();
    keys.beforeSealing(PACKETS, 0);
    expect(protection.generation).to.equal(0);
    keys.onAcked(PACKETS);
    keys.beforeSealing(PACKETS + 1, 0);
    expect(protection.generation).to.equal(1);
    keys.onAcked(PACKETS);
    keys.beforeSealing(3 * PACKETS, 0);
    expect(protection.generation).to.equal(1);
    keys.onAcked(PACKETS + 1);
    keys.beforeSealing(3 * PACKETS + 1, 0);
    expect(protection.generation).to.equal(2);
  });

  it('of the peer counts as ours', () => {
    const { protection, keys } = setUp();
    keys.onAcked(5);
    keys.beforeSealing(PACKETS - 1, 0);
    protection.update();
    keys.onAcked(PACKETS - 1);
    keys.beforeSealing(PACKETS, 0);
    // Still about a packet from before: under the new keys the peer has acknowledged none.
    keys.beforeSealing(2 * PACKETS, 0);
    expect(protection.generation).to.equal(1);
    keys.onAcked(PACKETS);
    keys.beforeSealing(2 * PACKETS + 1, 0);
    expect(protection.generation).to.equal(2);
  });
});
