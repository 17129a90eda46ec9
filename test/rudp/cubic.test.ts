import { expect } from 'chai';
import { createCongestionController } from '../../rudp/congestion.ts';

const MDS = 1000;
const RTT = 100;
const create = () => createCongestionController('cubic', MDS);

/** Acknowledges one window a round trip for `roundTrips`; answers the time. */
const run = (cubic: ReturnType<typeof create>, from: number, roundTrips: number): number => {
  let now = from;
  for (let round = 0; round < roundTrips; round += 1) {
    const packets = Math.floor(cubic.windowBytes / MDS);
    for (let packet = 0; packet < packets; packet += 1) {
      cubic.onAcked(MDS, now, RTT, true, now + RTT);
    }
    now += RTT;
  }
  return now;
};

describe('CUBIC', () => {
  it('doubles a round trip until the first loss, which leaves 7/10', () => {
    const cubic = create();
    run(cubic, 1, 3);
    expect(cubic.windowBytes).to.equal(80_000);
    cubic.onLost(MDS, 500, false, 600);
    expect(cubic).to.include({ windowBytes: 56_000, ssthreshBytes: 56_000 });
  });

  it('is back at its old window after K seconds, flat there, and steeper before and after', () => {
    const cubic = create();
    run(cubic, 1, 6);
    const before = cubic.windowBytes;
    cubic.onLost(MDS, 900, false, 1000);
    const plateauMs = 1000 * Math.cbrt((0.3 * before) / MDS / 0.4);
    const growth: number[] = [];
    let now = 1001;
    while (now < 1000 + 2 * plateauMs) {
      const window = cubic.windowBytes;
      now = run(cubic, now, 1);
      growth.push(cubic.windowBytes - window);
      if (now > 1000 + plateauMs && now <= 1000 + plateauMs + RTT) {
        expect(cubic.windowBytes).to.be.within(0.98 * before, 1.02 * before);
      }
    }
    const middle = growth[Math.floor(growth.length / 2)]!;
    expect(middle).to.be.lessThan(growth[0]! / 4);
    expect(middle).to.be.lessThan(growth.at(-1)! / 4);
  });

  it('does not grow while the application is what limits it', () => {
    const cubic = create();
    cubic.onAcked(MDS, 1, RTT, false, 100);
    expect(cubic.windowBytes).to.equal(10_000);
  });

  it('takes a reduction back when nothing was lost after all', () => {
    const cubic = create();
    cubic.onLost(MDS, 10, false, 20);
    cubic.onSpuriousLoss();
    expect(cubic).to.include({ windowBytes: 10_000, ssthreshBytes: Infinity });
    cubic.onSpuriousLoss();
    expect(cubic.windowBytes).to.equal(10_000);
  });

  it('falls to two packets on persistent congestion', () => {
    const cubic = create();
    cubic.onLost(MDS, 10, true, 20);
    expect(cubic.windowBytes).to.equal(2 * MDS);
  });
});
