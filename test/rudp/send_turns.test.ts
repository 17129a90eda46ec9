/** Who goes first, seen through `Channels`, which does what the turns say. */

import { expect } from 'chai';
import { Channels, type ChannelLimits } from '../../rudp/channels.ts';
import { SendCredit } from '../../rudp/flow_control.ts';
import { MAX_OVERTAKING_PACKETS } from '../../rudp/limits.ts';
import type { Priority } from '../../rudp/priorities.ts';
import { SentPackets, type SentPacket } from '../../rudp/sent_packets.ts';

const LIMITS: ChannelLimits = {
  maxChannels: 100,
  maxMessageBytes: 1e6,
  sendBufferBytes: 16_000,
  channelWindowBytes: 1e6,
};
const BUFFER = new Uint8Array(70_000);

const create = (credit = 1e9, limits: Partial<ChannelLimits> = {}): Channels =>
  new Channels(
    { ...LIMITS, sendBufferBytes: 1e9, ...limits },
    new SendCredit(credit),
    () => undefined,
  );

const write = (channels: Channels, limit = 1200): SentPacket => {
  const packet = new SentPackets().blank();
  channels.write(BUFFER, 0, limit, packet);
  return packet;
};

/** The channels of the pieces in the next packet. */
const next = (channels: Channels, limit?: number): number[] =>
  write(channels, limit).messages.map((message) => message?.channelNumber ?? -1);

const send = (channels: Channels, channel: number, priority: Priority, bytes = 100): void => {
  channels.send(channel, new Uint8Array(bytes), { priority });
};

describe('turns', () => {
  it('go to the more urgent first, whatever came before', () => {
    const channels = create();
    send(channels, 1, 'bulk');
    channels.send(2, new Uint8Array(100));
    send(channels, 3, 'urgent');
    send(channels, 4, 'normal');
    expect(next(channels)).to.eql([3, 2, 4, 1]);
  });

  it('refuse a priority that does not exist', () => {
    expect(() => {
      send(create(), 1, 'high' as Priority);
    }).to.throw("priority 'high'; there are urgent, normal, bulk");
  });

  it('go to urgent messages between the pieces of a long one', () => {
    const channels = create();
    send(channels, 1, 'bulk', 10_000);
    expect(next(channels)).to.eql([1]);
    send(channels, 2, 'urgent');
    expect(next(channels)).to.eql([2, 1]);
  });

  it('go to lost pieces of a level before its new ones, and after all that is more urgent', () => {
    const channels = create();
    send(channels, 1, 'bulk');
    const bulk = write(channels);
    send(channels, 2, 'urgent');
    const urgent = write(channels);
    send(channels, 3, 'bulk');
    send(channels, 4, 'urgent');
    send(channels, 5, 'normal');
    channels.onLost(bulk);
    channels.onLost(urgent);
    expect(next(channels)).to.eql([2, 4, 5, 1, 3]);
  });

  it('keep the order of a channel: what is before an urgent message becomes as urgent', () => {
    const channels = create();
    send(channels, 1, 'bulk', 3_000);
    const begun = write(channels);
    send(channels, 1, 'bulk', 10);
    send(channels, 2, 'normal', 10);
    send(channels, 1, 'urgent', 10);
    expect(next(channels)).to.eql([1]);
    channels.onLost(begun);
    const rest = [...next(channels), ...next(channels)];
    expect(rest).to.eql([1, 1, 1, 1, 2]);
  });

  it('do not starve the less urgent: of so many packets in a row, each level begins one', () => {
    const channels = create();
    send(channels, 1, 'bulk', 100_000);
    send(channels, 2, 'normal', 100_000);
    send(channels, 3, 'urgent', 100_000);
    const firsts = Array.from(
      { length: 2 * (MAX_OVERTAKING_PACKETS + 1) },
      () => next(channels)[0],
    );
    const urgent = Array.from({ length: MAX_OVERTAKING_PACKETS }, () => 3);
    expect(firsts).to.eql([...urgent, 2, ...urgent, 1]);
  });

  it('pass by a less urgent message that waits for credit, but by no other', () => {
    const credit = new SendCredit(1_000);
    const channels = new Channels({ ...LIMITS, sendBufferBytes: 1e9 }, credit, () => undefined);
    send(channels, 1, 'normal', 2_000);
    send(channels, 2, 'normal', 10);
    send(channels, 3, 'bulk', 10);
    send(channels, 4, 'urgent', 10);
    expect(next(channels)).to.eql([4]);
    expect(next(channels)).to.eql([]);
    credit.raise(10_000);
    channels.onCredit();
    expect(next(channels, 60_000)).to.eql([1, 2, 3]);
  });

  it('come to nothing while the buffer is full, but for urgent messages a sixteenth more', () => {
    const channels = create(1e9, { sendBufferBytes: 16_000 });
    send(channels, 1, 'bulk', 16_000 - 64);
    expect(() => {
      send(channels, 2, 'normal', 0);
    }).to.throw('16000 of 16000 bytes');
    send(channels, 3, 'urgent', 1_000 - 64);
    expect(() => {
      send(channels, 4, 'urgent', 0);
    }).to.throw('17000 of 16000 bytes');
  });
});
