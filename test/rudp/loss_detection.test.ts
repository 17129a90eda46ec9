import { expect } from 'chai';
import { LossDetection } from '../../rudp/loss_detection.ts';
import { NEVER } from '../../rudp/millis.ts';

const SIZE = 1000;
const ACK_DELAY = 5;

/** Sends packets at the given times, and measures a round trip of 10 ms with the first. */
const sendAt = (...times: number[]): LossDetection => {
  const loss = new LossDetection(50, ACK_DELAY);
  for (const time of times) send(loss, time);
  return loss;
};

const send = (loss: LossDetection, now: number): void => {
  const packet = loss.sent.blank();
  packet.sizeBytes = SIZE;
  loss.onSent(packet, now);
};

const numbers = (packets: readonly { packetNumber: number }[]): number[] =>
  packets.map(({ packetNumber }) => packetNumber);

describe('loss detection', () => {
  it('settles acknowledged packets and counts what is left in flight', () => {
    const loss = sendAt(0, 0, 0, 0);
    expect(loss.bytesInFlight).to.equal(4 * SIZE);
    expect(loss.handleAck([2, 4, 0, 1], 0, 10)).to.equal(true);
    expect(numbers(loss.acked)).to.eql([3, 2, 0]);
    expect(loss.bytesInFlight).to.equal(SIZE);
    expect(loss.largestAcked).to.equal(3);
    expect(loss.sent.base).to.equal(1);
  });

  it('measures the round trip by the largest packet only, and only if it is newly acknowledged', () => {
    const loss = sendAt(0, 4);
    loss.handleAck([1, 2], 0, 10);
    expect(loss.rtt.latestRtt).to.equal(6);
    loss.handleAck([0, 2], 0, 500);
    expect(loss.rtt.latestRtt).to.equal(6);
  });

  it('believes no ack delay above the peer’s own limit', () => {
    const loss = sendAt(0, 100);
    loss.handleAck([0, 1], 0, 10);
    loss.handleAck([0, 2], 50, 130);
    expect(loss.rtt.smoothedRtt).to.equal(0.875 * 10 + 0.125 * (30 - ACK_DELAY));
  });

  it('takes an acknowledgement of a packet never sent for a violation', () => {
    const loss = sendAt(0);
    expect(loss.handleAck([0, 2], 0, 10)).to.equal(false);
    expect(loss.handleAck([0, 1], 0, 10)).to.equal(true);
  });

  it('declares a packet lost when one sent three later has arrived, not two later', () => {
    const loss = sendAt(0, 0, 0, 0);
    loss.handleAck([2, 3], 0, 1);
    expect(loss.lost).to.eql([]);
    loss.handleAck([3, 4], 0, 1);
    expect(numbers(loss.lost)).to.eql([0]);
    expect(loss.packetsLost).to.equal(1);
  });

  it('declares an earlier packet lost after 9/8 of a round trip, by its timer', () => {
    const loss = sendAt(0, 0);
    loss.handleAck([1, 2], 0, 16);
    expect(loss.lost).to.eql([]);
    expect(loss.timeout()).to.equal(18);
    expect(loss.handleTimeout(18)).to.equal('lost');
    expect(numbers(loss.lost)).to.eql([0]);
    expect(loss.bytesInFlight).to.equal(0);
    expect(loss.timeout()).to.equal(NEVER);
  });

  it('probes after the probe timeout, doubling up to a second, and starts over with an answer', () => {
    const loss = sendAt(0);
    expect(loss.timeout()).to.equal(50 + 100 + ACK_DELAY);
    expect(loss.handleTimeout(155)).to.equal('probe');
    expect(loss.timeout()).to.equal(2 * 155);
    expect(loss.lost).to.eql([]);
    for (let probes = 0; probes < 40; probes += 1) loss.handleTimeout(1000);
    expect(loss.ptoMs()).to.equal(1000);
    loss.handleAck([0, 1], 0, 2000);
    expect(loss.ptoCount).to.equal(0);
  });

  it('has no timer when nothing is in flight', () => {
    const loss = sendAt();
    expect(loss.timeout()).to.equal(NEVER);
    loss.onSent(undefined, 0);
    expect(loss.timeout()).to.equal(NEVER);
    expect(loss.sent.nextPacketNumber).to.equal(1);
  });

  it('counts a packet that arrives after it was declared lost as spurious, once', () => {
    const loss = sendAt(0, 0, 0, 0);
    loss.handleAck([3, 4], 0, 1);
    expect(numbers(loss.lost)).to.eql([0]);
    loss.handleAck([0, 1], 0, 2);
    loss.handleAck([0, 1], 0, 3);
    expect(loss.reordering.spuriousLosses).to.equal(1);
  });

  it('sees persistent congestion when an unbroken run of losses spans three probe timeouts', () => {
    const persistent = (lastLost: number): boolean => {
      const loss = sendAt(0);
      loss.handleAck([0, 1], 0, 10);
      send(loss, 20);
      send(loss, lastLost);
      for (let later = 0; later < 3; later += 1) send(loss, 1000);
      loss.handleAck([4, 6], 0, 1010);
      expect(numbers(loss.lost)).to.include.members([1, 2]);
      return loss.persistentCongestion;
    };
    // After two samples of 10 ms the deviation is 3.75 ms, and three timeouts 3 · (10 + 15 + 5).
    expect(persistent(20 + 90)).to.equal(false);
    expect(persistent(20 + 91)).to.equal(true);
  });

  it('sees no persistent congestion when a packet between the lost ones arrived', () => {
    const loss = sendAt(0);
    loss.handleAck([0, 1], 0, 10);
    send(loss, 20);
    send(loss, 300);
    send(loss, 980);
    for (let later = 0; later < 4; later += 1) send(loss, 1000);
    loss.handleAck([5, 8, 2, 3], 0, 1010);
    expect(numbers(loss.lost)).to.include.members([1, 3]);
    expect(loss.persistentCongestion).to.equal(false);
  });
});
