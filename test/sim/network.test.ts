import { expect } from 'chai';
import { SimulatedNetwork, type LinkProfile } from './network.ts';
import { Prng } from './prng.ts';

const send = (profile: Partial<LinkProfile>, count: number, size = 100, seed = 1) => {
  const network = new SimulatedNetwork(new Prng(seed), profile);
  for (let index = 0; index < count; index += 1) {
    network.send('a', 'b', new Uint8Array(size).fill(index), index);
  }
  const delivered = [];
  for (let next = network.deliver(); next !== undefined; next = network.deliver()) {
    delivered.push(next);
  }
  return { network, delivered };
};

describe('simulated network', () => {
  it('delivers all, in order, after the delay', () => {
    const { delivered } = send({ delayMs: 7 }, 50);
    expect(delivered.map(({ at }) => at)).to.eql(Array.from({ length: 50 }, (_, n) => n + 7));
    expect(delivered.map(({ bytes }) => bytes[0])).to.eql(Array.from({ length: 50 }, (_, n) => n));
  });

  it('delivers in the order of arrival whatever the jitter', () => {
    const { delivered } = send({ jitterMs: 30 }, 200);
    const times = delivered.map(({ at }) => at);
    expect(times).to.eql([...times].sort((x, y) => x - y));
    const order = delivered.map(({ bytes }) => bytes[0]);
    expect(order).to.not.eql([...order].sort((x, y) => (x ?? 0) - (y ?? 0)));
  });

  it('loses, doubles and damages about as often as asked', () => {
    const { network, delivered } = send({ loss: 0.3, duplicate: 0.1, corrupt: 0.2 }, 2000);
    expect(network.counters.lost).to.be.within(560, 760);
    expect(network.counters.duplicated).to.be.within(150, 250);
    const damaged = delivered.filter(({ bytes }) => new Set(bytes).size > 1).length;
    expect(damaged).to.equal(network.counters.corrupted);
    expect(damaged).to.be.within(230, 380);
  });

  it('lets pass what is as long as the MTU, and nothing longer', () => {
    expect(send({ mtuBytes: 100 }, 3, 100).delivered.length).to.equal(3);
    expect(send({ mtuBytes: 100 }, 3, 101).delivered.length).to.equal(0);
  });

  it('keeps links apart, and directions', () => {
    const network = new SimulatedNetwork(new Prng(1));
    network.setLink('a', 'b', { loss: 1 });
    network.send('a', 'b', new Uint8Array(1), 0);
    network.send('b', 'a', new Uint8Array(1), 0);
    network.send('a', 'c', new Uint8Array(1), 0);
    expect(network.inFlight).to.equal(2);
    network.clearLink('a', 'b');
    network.send('a', 'b', new Uint8Array(1), 0);
    expect(network.inFlight).to.equal(3);
    expect(network.nextDelivery()).to.equal(1);
  });

  it('copies: the sender may use its buffer again', () => {
    const network = new SimulatedNetwork(new Prng(1));
    const bytes = Uint8Array.from([1]);
    network.send('a', 'b', bytes, 0);
    bytes[0] = 2;
    expect(network.deliver()?.bytes[0]).to.equal(1);
  });

  it('is the same under the same seed, and another under another', () => {
    const run = (seed: number) => JSON.stringify(send({ loss: 0.5, jitterMs: 9 }, 50, 1, seed));
    expect(run(5)).to.equal(run(5));
    expect(run(5)).to.not.equal(run(6));
  });
});

describe('prng', () => {
  it('is uniform enough, within its bounds', () => {
    const prng = new Prng(3);
    const counts = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 10_000; draw += 1) {
      const value = prng.below(10);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    for (const count of counts) expect(count).to.be.within(880, 1120);
  });

  it('forks into a generator that does not repeat it', () => {
    const prng = new Prng(3);
    const fork = prng.fork();
    expect(fork.next()).to.not.equal(prng.next());
  });
});
