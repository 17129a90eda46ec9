import { expect } from 'chai';
import { DeliveryRate } from '../../rudp/delivery_rate.ts';
import { SentPackets, type SentPacket } from '../../rudp/sent_packets.ts';

const SIZE = 1000;

/** A sender of packets of 1,000 bytes, which keeps the books as a connection does. */
class Sender {
  readonly rate = new DeliveryRate();
  readonly #records = new SentPackets();
  inFlight = 0;

  send(now: number): SentPacket {
    const packet = this.#records.blank();
    packet.sizeBytes = SIZE;
    packet.timeSent = now;
    this.rate.onSent(packet, this.inFlight, now);
    this.inFlight += SIZE;
    return packet;
  }

  /** Acknowledges `packets`, the newest first. */
  acknowledge(packets: SentPacket[], now: number, minRtt = 1): number {
    this.inFlight -= SIZE * packets.length;
    this.rate.onAcked(packets, minRtt, now);
    return this.rate.sample.deliveryRate;
  }
}

describe('delivery rate', () => {
  it('is what was delivered since the packet was sent, over the time that took', () => {
    const sender = new Sender();
    const packets = [0, 1, 2, 3].map((now) => sender.send(now));
    expect(sender.acknowledge([packets[0]!], 10)).to.equal(SIZE / 10);
    expect(sender.acknowledge([packets[2]!, packets[1]!], 12)).to.equal((3 * SIZE) / 12);
    const later = sender.send(12);
    sender.acknowledge([packets[3]!], 13);
    expect(sender.acknowledge([later], 22)).to.equal((2 * SIZE) / 10);
  });

  it('is no higher than the rate of sending, though acknowledgements come in a bunch', () => {
    const sender = new Sender();
    const packets = [0, 5, 10, 15].map((now) => sender.send(now));
    sender.acknowledge([packets[0]!], 20);
    expect(sender.acknowledge(packets.slice(1).reverse(), 20.5)).to.be.at.most(SIZE / 5);
  });

  it('gives no sample from less than a round trip', () => {
    const sender = new Sender();
    const packet = sender.send(0);
    expect(sender.acknowledge([packet], 4, 5)).to.equal(0);
    expect(sender.rate.sample.ackedBytes).to.equal(SIZE);
  });

  it('knows which packets were sent when the application had nothing more to send', () => {
    const sender = new Sender();
    const first = sender.send(0);
    sender.rate.onAppLimited(sender.inFlight);
    const limited = sender.send(1);
    sender.acknowledge([first], 10);
    sender.acknowledge([limited], 11);
    expect(sender.rate.sample.appLimited).to.equal(true);
    const free = sender.send(12);
    sender.acknowledge([free], 22);
    expect(sender.rate.sample.appLimited).to.equal(false);
  });
});
