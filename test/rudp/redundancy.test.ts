import { expect } from 'chai';
import { Channels } from '../../rudp/channels.ts';
import { SendCredit } from '../../rudp/flow_control.ts';
import { MAX_COPIED_MESSAGE_BYTES, MAX_COPIES_WAITING } from '../../rudp/limits.ts';
import { LossMeasure } from '../../rudp/loss_measure.ts';
import { Redundancy } from '../../rudp/redundancy.ts';
import { RttEstimator } from '../../rudp/rtt.ts';
import { SentPackets, type SentPacket } from '../../rudp/sent_packets.ts';
import { Bottleneck, type BottleneckProfile, type Flow } from './bottleneck.ts';

const LIMITS = {
  maxChannels: 10,
  maxMessageBytes: 1e6,
  sendBufferBytes: 1e9,
  channelWindowBytes: 1e9,
};
const WINDOW = 38_400;
const RTT = 20;

/** One side's copies with its channels, at a given loss. */
class Sender {
  readonly measure = new LossMeasure();
  readonly redundancy: Redundancy;
  readonly channels = new Channels(LIMITS, new SendCredit(1e9), () => undefined);
  readonly rtt = new RttEstimator(50);
  readonly #records = new SentPackets();
  readonly #buffer = new Uint8Array(70_000);

  constructor(lossRate: number, share = 0.2) {
    this.redundancy = new Redundancy(share, this.measure);
    this.measure.rate = lossRate;
    this.rtt.update(RTT, 0, 0);
  }

  get copies(): number {
    return this.redundancy.copies(this.rtt);
  }

  /** Sends messages in one packet for the first time. */
  send(sizes: number[], limit = 70_000): SentPacket {
    for (const size of sizes) this.channels.send(0, new Uint8Array(size));
    const packet = this.#records.blank();
    this.channels.write(this.#buffer, 0, limit, packet);
    this.redundancy.note(packet, this.rtt);
    return packet;
  }

  /** The packets of copies that go at `now`, each as the lengths of its pieces. */
  copyAt(now: number, limit = 1_200): number[][] {
    const packets: number[][] = [];
    while (this.redundancy.isDue(WINDOW, RTT, now)) {
      const packet = this.#records.blank();
      this.redundancy.write(this.#buffer, 0, limit, packet);
      packets.push(packet.lengths.slice(0, packet.carried));
    }
    return packets;
  }
}

const LINK: BottleneckProfile = { rttMs: 50, loss: 0, mbitPerSecond: 20, queueMs: 50 };

/** One request after the other, 128 bytes each, answered by 1,024; answers their latencies. */
const requests = (link: Bottleneck, flow: Flow, count: number): number[] => {
  const latencies: number[] = [];
  let sentAt = link.now;
  const request = (): void => {
    sentAt = link.now;
    flow.client.send(flow.handle, new Uint8Array(128), {}, link.now);
  };
  flow.onServer = (_message, connection) => {
    flow.server.send(connection, new Uint8Array(1_024), {}, link.now);
  };
  flow.onClient = () => {
    latencies.push(link.now - sentAt);
    if (latencies.length < count) request();
  };
  request();
  link.flush(flow);
  link.run(link.now + 1e7, () => latencies.length >= count);
  return latencies;
};

const slowest = (latencies: readonly number[], part: number): number =>
  [...latencies].sort((a, b) => a - b)[Math.floor(latencies.length * part)] ?? 0;

describe('redundancy', () => {
  it('makes as many copies as it takes for all of them to be lost rarely', () => {
    const copies = [0, 0.0019, 0.002, 0.05, 0.099, 0.11, 0.2, 0.22, 0.5].map(
      (loss) => new Sender(loss).copies,
    );
    expect(copies).to.eql([0, 0, 1, 1, 1, 2, 2, 3, 3]);
  });

  it('makes none while a queue stands on the path, and none where it is switched off', () => {
    const sender = new Sender(0.2);
    for (let sample = 0; sample < 50; sample += 1) sender.rtt.update(60, 0, 10);
    expect(sender.copies).to.equal(0);
    expect(new Sender(0.2, 0).copies).to.equal(0);
  });

  it('sends each copy in a packet of its own, together with those of other messages', () => {
    const sender = new Sender(0.2);
    sender.send([100, 200]);
    expect(sender.copyAt(0)).to.eql([
      [100, 200],
      [100, 200],
    ]);
    expect(sender.copyAt(1)).to.eql([]);
  });

  it('copies nothing that has arrived, and no long message', () => {
    const sender = new Sender(0.05);
    sender.channels.onAcked(sender.send([100]));
    sender.send([MAX_COPIED_MESSAGE_BYTES + 1]);
    expect(sender.copyAt(0)).to.eql([]);
    sender.send([MAX_COPIED_MESSAGE_BYTES]);
    expect(sender.copyAt(0, 5_000)).to.eql([[MAX_COPIED_MESSAGE_BYTES]]);
  });

  it('gives up a piece that no packet takes any more', () => {
    const sender = new Sender(0.05);
    sender.send([3_000, 100]);
    expect(sender.copyAt(0, 1_200)).to.eql([[100]]);
  });

  it('spends no more than its share of what the path carries', () => {
    const sender = new Sender(0.05);
    let copied = 0;
    for (let now = 0; now < 1_000; now += 1) {
      sender.send([1_100, 1_100, 1_100, 1_100]);
      copied += sender.copyAt(now).length;
    }
    // 5,000 bytes a millisecond are assumed: a fifth of that for a second, and 50 ms beforehand.
    expect(copied * 1_104).to.be.within(0.9 * 1_050_000, 1_050_000 + 1_200);
  });

  it('lets no more pieces wait than it may', () => {
    const sender = new Sender(0.05);
    sender.send(new Array<number>(MAX_COPIES_WAITING + 1).fill(1));
    expect(sender.copyAt(0, 70_000)).to.eql([new Array<number>(MAX_COPIES_WAITING).fill(1)]);
  });

  it('spares nearly all requests a retransmission on a link that loses 5 % each way', () => {
    const link = new Bottleneck(1, { ...LINK, loss: 0.05 });
    const flow = link.addFlow();
    const latencies = requests(link, flow, 2_000).slice(200);
    expect(slowest(latencies, 0.99)).to.be.lessThan(60);
    expect(flow.stats().copiesUsed).to.be.greaterThan(50);
    const without = new Bottleneck(1, { ...LINK, loss: 0.05 });
    const plain = requests(without, without.addFlow({ redundancyShare: 0 }), 1_000);
    expect(slowest(plain, 0.95)).to.be.greaterThan(100);
  });

  it('costs nothing on a clean link', () => {
    const link = new Bottleneck(1, LINK);
    const flow = link.addFlow();
    requests(link, flow, 500);
    expect(flow.stats().copiedBytes).to.equal(0);
  });

  it('does not copy bulk', () => {
    const link = new Bottleneck(1, { ...LINK, loss: 0.05 });
    const flow = link.addFlow();
    link.bulk(flow, 16 * 1024);
    link.run(4_000);
    expect(flow.stats()).to.include({ copiedBytes: 0 });
    expect(flow.stats().lossRate).to.be.greaterThan(0.02);
  });
});
