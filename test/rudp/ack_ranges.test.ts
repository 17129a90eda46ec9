import { expect } from 'chai';
import { AckRanges } from '../../rudp/ack_ranges.ts';
import { ByteReader } from '../../rudp/byte_reader.ts';
import { readAck, type AckFrame } from '../../rudp/frame_codec.ts';
import { MAX_ACK_FRAME_RANGES, MAX_ACK_RANGES, REPLAY_WINDOW } from '../../rudp/limits.ts';
import { NEVER } from '../../rudp/millis.ts';

const MAX_DELAY = 5;

const written = (acks: AckRanges, now: number, limit = 1200): AckFrame => {
  const bytes = new Uint8Array(limit);
  const end = acks.write(bytes, 0, limit, now);
  const frame = { ackDelayMs: 0, bounds: [] };
  expect(readAck(new ByteReader(bytes, 1, end), frame)).to.equal(true);
  return frame;
};

describe('ack ranges', () => {
  it('lets one packet wait for the longest ack delay, and the second not at all', () => {
    const acks = new AckRanges(MAX_DELAY);
    acks.record(0, true, 100);
    expect(acks.deadline).to.equal(105);
    acks.record(1, true, 101);
    expect(acks.deadline).to.equal(101);
    expect(written(acks, 103)).to.eql({ ackDelayMs: 2, bounds: [0, 2] });
    expect(acks.deadline).to.equal(NEVER);
    expect(acks.pending).to.equal(false);
  });

  it('acknowledges at once when a gap opens and when it is filled', () => {
    const acks = new AckRanges(MAX_DELAY);
    acks.record(0, true, 0);
    written(acks, 0);
    acks.record(2, true, 10);
    expect(acks.deadline).to.equal(10);
    expect(written(acks, 10).bounds).to.eql([2, 3, 0, 1]);
    acks.record(1, true, 20);
    expect(acks.deadline).to.equal(20);
    expect(written(acks, 20).bounds).to.eql([0, 3]);
  });

  it('acknowledges every eighth packet at once on a long path, from the hundredth packet on', () => {
    const acks = new AckRanges(MAX_DELAY);
    acks.isLongPath = true;
    const untilAck = (): number => {
      const first = acks.largestReceived + 1;
      while (acks.deadline > 0) acks.record(acks.largestReceived + 1, true, 0);
      written(acks, 0);
      return acks.largestReceived + 1 - first;
    };
    while (acks.largestReceived < 97) expect(untilAck()).to.equal(2);
    expect(untilAck()).to.equal(2);
    expect(untilAck()).to.equal(8);
    acks.record(acks.largestReceived + 2, true, 0);
    expect(acks.deadline, 'of a gap').to.equal(0);
  });

  it('owes nothing for packets that do not ask', () => {
    const acks = new AckRanges(MAX_DELAY);
    acks.record(0, false, 0);
    acks.record(5, false, 0);
    expect(acks.pending).to.equal(false);
    expect(acks.deadline).to.equal(NEVER);
  });

  it('recognises duplicates', () => {
    const acks = new AckRanges(MAX_DELAY);
    acks.record(3, true, 0);
    expect(acks.isDuplicate(3)).to.equal(true);
    expect(acks.isDuplicate(2)).to.equal(false);
  });

  it(`takes packets for duplicates that come ${REPLAY_WINDOW} behind the newest`, () => {
    const acks = new AckRanges(5);
    acks.record(REPLAY_WINDOW + 10, true, 0);
    expect(acks.isDuplicate(10)).to.equal(true);
    expect(acks.isDuplicate(11)).to.equal(false);
    acks.record(11, true, 0);
    expect(acks.isDuplicate(11)).to.equal(true);
  });

  it('remembers fewer if it is told to', () => {
    const acks = new AckRanges(MAX_DELAY, 2);
    for (const number of [0, 2]) acks.record(number, true, 0);
    expect([acks.received.count, acks.isDuplicate(1)]).to.eql([2, false]);
    acks.record(4, true, 0);
    expect([acks.received.count, acks.isDuplicate(0), acks.isDuplicate(1)]).to.eql([
      2,
      true,
      false,
    ]);
  });

  it(`remembers ${MAX_ACK_RANGES} ranges, and takes all before them for duplicates`, () => {
    const acks = new AckRanges(MAX_DELAY);
    for (let range = 0; range < MAX_ACK_RANGES; range += 1) acks.record(2 * range, true, 0);
    expect(acks.received.count).to.equal(MAX_ACK_RANGES);
    expect(acks.isDuplicate(1)).to.equal(false);
    acks.record(2 * MAX_ACK_RANGES, true, 0);
    expect(acks.received.count).to.equal(MAX_ACK_RANGES);
    expect(acks.isDuplicate(0)).to.equal(true);
    expect(acks.isDuplicate(1)).to.equal(false);
  });

  it(`reports the newest ${MAX_ACK_FRAME_RANGES} ranges, and fewer where there is no room`, () => {
    const acks = new AckRanges(MAX_DELAY);
    for (let range = 0; range < 100; range += 1) acks.record(2 * range, true, 0);
    const all = written(acks, 0).bounds;
    expect(all.length).to.equal(2 * MAX_ACK_FRAME_RANGES);
    expect(all.slice(0, 4)).to.eql([198, 199, 196, 197]);
    const few = written(acks, 0, 12).bounds;
    expect(few).to.eql(all.slice(0, few.length));
    expect(few.length).to.be.within(2, 10);
    expect(acks.write(new Uint8Array(3), 0, 3, 0)).to.equal(0);
  });

  it('forgets what the sender knows to be acknowledged', () => {
    const acks = new AckRanges(MAX_DELAY);
    for (const number of [0, 1, 3, 5]) acks.record(number, true, 0);
    acks.forgetUpTo(3);
    expect(written(acks, 0).bounds).to.eql([5, 6]);
    expect(acks.isDuplicate(3)).to.equal(true);
    acks.forgetUpTo(1);
    expect(acks.isDuplicate(3)).to.equal(true);
  });
});
