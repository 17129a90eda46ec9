import { expect } from 'chai';
import { createCongestionController, isCongestionName } from '../../rudp/congestion.ts';

const MDS = 1200;
const create = (maxDatagramBytes = MDS) => createCongestionController('newreno', maxDatagramBytes);

describe('NewReno', () => {
  it('begins with ten packets, 14,720 bytes or two packets (RFC 9002 §7.2)', () => {
    expect(create(1200).windowBytes).to.equal(12_000);
    expect(create(1500).windowBytes).to.equal(14_720);
    expect(create(30_000).windowBytes).to.equal(60_000);
  });

  it('grows by what is acknowledged in slow start, by a packet a window after', () => {
    const reno = create();
    reno.onAcked(MDS, 1, 10, true, 11);
    expect(reno.windowBytes).to.equal(13_200);
    reno.onLost(MDS, 2, false, 20);
    expect(reno).to.include({ windowBytes: 6_600, ssthreshBytes: 6_600 });
    reno.onAcked(MDS, 21, 10, true, 31);
    expect(reno.windowBytes).to.equal(6_600 + (MDS * MDS) / 6_600);
  });

  it('does not grow while the application is what limits it (§7.8)', () => {
    const reno = create();
    reno.onAcked(MDS, 1, 10, false, 11);
    expect(reno.windowBytes).to.equal(12_000);
  });

  it('halves once for all losses of one window, and not below two packets', () => {
    const reno = create();
    reno.onLost(MDS, 10, false, 20);
    reno.onLost(MDS, 15, false, 21);
    reno.onLost(MDS, 20, false, 22);
    expect(reno.windowBytes).to.equal(6_000);
    for (let at = 100; at < 200; at += 10) reno.onLost(MDS, at, false, at + 1);
    expect(reno.windowBytes).to.equal(2 * MDS);
  });

  it('does not grow by packets sent before the loss was noticed', () => {
    const reno = create();
    reno.onLost(MDS, 10, false, 20);
    reno.onAcked(MDS, 15, 10, true, 25);
    expect(reno.windowBytes).to.equal(6_000);
  });

  it('falls to two packets on persistent congestion', () => {
    const reno = create();
    reno.onLost(5 * MDS, 10, true, 20);
    expect(reno.windowBytes).to.equal(2 * MDS);
  });

  it('keeps room for two packets when datagrams grow', () => {
    const reno = create();
    reno.setMaxDatagramBytes(60_000);
    expect(reno.windowBytes).to.equal(120_000);
  });

  it('is chosen by a name, and only by its own', () => {
    expect(isCongestionName('newreno')).to.equal(true);
    expect(isCongestionName('toString')).to.equal(false);
  });
});
