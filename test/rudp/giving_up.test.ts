/** Deadlines and cancels, seen at the sender. */

import { expect } from 'chai';
import { Channels, type ChannelLimits } from '../../rudp/channels.ts';
import { SendCredit } from '../../rudp/flow_control.ts';
import { NEVER } from '../../rudp/millis.ts';
import { SentPackets, type SentPacket } from '../../rudp/sent_packets.ts';

const LIMITS: ChannelLimits = {
  maxChannels: 4,
  maxMessageBytes: 100_000,
  sendBufferBytes: 200_000,
  channelWindowBytes: 10_000,
};
const BUFFER = new Uint8Array(70_000);

class Sender {
  readonly told: string[] = [];
  readonly credit: SendCredit;
  readonly channels: Channels;

  constructor(credit = 1e9) {
    this.credit = new SendCredit(credit);
    this.channels = new Channels(LIMITS, this.credit, (ticket, outcome) => {
      this.told.push(`${ticket} ${outcome}`);
    });
  }

  /** Sends a tracked message on a channel; answers its ticket. */
  send(channel: number, bytes: number, deadlineMs?: number): number {
    const limit = deadlineMs === undefined ? {} : { deadlineMs };
    return this.channels.send(channel, new Uint8Array(bytes), { tracked: true, ...limit }, 1000);
  }

  write(limit = 1_200): SentPacket {
    const packet = new SentPackets().blank();
    this.channels.write(BUFFER, 0, limit, packet);
    return packet;
  }

  /** The next packet as "id:length", −1 for the length of what is abandoned. */
  next(limit?: number): string[] {
    const { messages, lengths } = this.write(limit);
    return messages.map((message, index) => `${message?.id}:${lengths[index]}`);
  }
}

const NOTHING_LEFT = { bufferedBytes: 0, activeChannels: 0, openFates: 0, hasData: false };

describe('giving up a message', () => {
  it('that has not begun leaves no trace', () => {
    const sender = new Sender();
    const tickets = [1, 1, 1, 2].map((channel) => sender.send(channel, 100));
    for (const ticket of [1, 3]) sender.channels.cancel(tickets[ticket] ?? 0);
    expect(sender.told).to.eql(['2 cancelled', '4 cancelled']);
    const packet = sender.write();
    expect(packet.messages.map((message) => [message?.id, message?.predecessor])).to.eql([
      [1, 0],
      [2, 1],
    ]);
    sender.channels.onAcked(packet);
    expect(sender.told.slice(2)).to.eql(['1 acknowledged', '3 acknowledged']);
    expect(sender.channels).to.include({ ...NOTHING_LEFT, messagesDropped: 2 });
    expect(sender.channels.cancel(1)).to.equal(false);
  });

  it('that has begun tells the peer, once it is lost again, until that is acknowledged', () => {
    const sender = new Sender();
    const ticket = sender.send(1, 3_000);
    const begun = sender.write();
    expect(sender.channels.cancel(ticket)).to.equal(true);
    expect(sender.channels.bufferedBytes, 'until the peer knows').to.equal(64);
    sender.channels.onLost(begun);
    const abandon = sender.write();
    expect(abandon.lengths).to.eql([-1]);
    expect(sender.next()).to.eql([]);
    sender.channels.onLost(abandon);
    const again = sender.write();
    expect(again.lengths).to.eql([-1]);
    sender.channels.onAcked(again);
    sender.channels.onLost(abandon);
    expect(sender.told).to.eql(['1 cancelled']);
    expect(sender.channels).to.include(NOTHING_LEFT);
  });

  it('that arrives after all is told as it was: given up', () => {
    const sender = new Sender();
    const ticket = sender.send(1, 100);
    const begun = sender.write();
    sender.channels.cancel(ticket);
    sender.channels.onAcked(begun);
    expect(sender.next(), 'nothing more to tell').to.eql([]);
    expect(sender.told).to.eql(['1 cancelled']);
    expect(sender.channels).to.include(NOTHING_LEFT);
  });

  it('lets those behind it on its channel go on, after it in order', () => {
    const sender = new Sender();
    const first = sender.send(1, 9_000);
    sender.send(1, 9_000);
    sender.write();
    sender.channels.cancel(first);
    expect(sender.next(), 'the window is freed by the peer alone').to.eql(['1:-1']);
    const sent = new Sender();
    const ticket = sent.send(1, 3_000);
    sent.send(1, 10);
    sent.write();
    sent.channels.cancel(ticket);
    const { messages, lengths } = sent.write();
    expect(lengths).to.eql([-1, 10]);
    expect(messages[1]).to.include({ id: 2, predecessor: 1 });
  });

  it('that waits for credit lets those behind it begin', () => {
    const sender = new Sender(1_000);
    const large = sender.send(1, 2_000);
    sender.send(2, 10);
    expect(sender.next()).to.eql([]);
    sender.channels.cancel(large);
    expect(sender.next()).to.eql(['1:10']);
  });

  it('happens at its deadline, unless it is acknowledged by then', () => {
    const sender = new Sender();
    sender.send(1, 100, 50);
    sender.send(2, 100, 30);
    sender.send(3, 100);
    expect(sender.channels.nextDeadline).to.equal(1_030);
    const packet = sender.write();
    sender.channels.expire(1_029);
    expect(sender.told).to.eql([]);
    sender.channels.expire(1_030);
    expect(sender.told).to.eql(['2 deadline']);
    expect(sender.channels.nextDeadline).to.equal(1_050);
    sender.channels.onLost(packet);
    expect(sender.next(), 'only what is not given up').to.eql(['2:-1', '1:100', '3:100']);
    sender.channels.onAcked(packet);
    expect(sender.channels.nextDeadline).to.equal(NEVER);
    expect(sender.told.slice(1)).to.eql(['1 acknowledged', '3 acknowledged']);
    expect(sender.channels).to.include({ ...NOTHING_LEFT, messagesDropped: 1 });
  });

  it('needs a deadline that can come', () => {
    for (const deadlineMs of [0, -1, NaN, 2 ** 31]) {
      expect(() => new Sender().send(1, 1, deadlineMs)).to.throw(`deadlineMs is ${deadlineMs}`);
    }
  });
});
