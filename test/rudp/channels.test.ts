import { expect } from 'chai';
import { Channels, type ChannelLimits } from '../../rudp/channels.ts';
import { RudpError } from '../../rudp/errors.ts';
import { SendCredit } from '../../rudp/flow_control.ts';
import { SentPackets, type SentPacket } from '../../rudp/sent_packets.ts';

const LIMITS: ChannelLimits = {
  maxChannels: 4,
  maxMessageBytes: 100_000,
  sendBufferBytes: 200_000,
  channelWindowBytes: 10_000,
};

const buffer = new Uint8Array(70_000);

interface Piece {
  readonly channel: number;
  readonly id: number;
  readonly predecessor: number;
  readonly offset: number;
  readonly length: number;
}

interface Written {
  readonly packet: SentPacket;
  readonly bytes: number;
  readonly pieces: Piece[];
}

const create = (limits: Partial<ChannelLimits> = {}, credit = 1e9): Channels =>
  new Channels({ ...LIMITS, ...limits }, new SendCredit(credit), () => undefined);

const write = (channels: Channels, limit = 1200): Written => {
  const packet = new SentPackets().blank();
  const bytes = channels.write(buffer, 13, limit, packet) - 13;
  const pieces = packet.messages.slice(0, packet.carried).map((message, index) => ({
    channel: message?.channelNumber ?? -1,
    id: message?.id ?? -1,
    predecessor: message?.predecessor ?? -1,
    offset: packet.offsets[index] ?? -1,
    length: packet.lengths[index] ?? -1,
  }));
  return { packet, bytes, pieces };
};

const refusal = (action: () => void): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof RudpError) return error.code;
    throw error;
  }
  return 'none';
};

describe('channels', () => {
  it('put messages that are queued together into one packet, channels in turn', () => {
    const channels = create();
    for (const channel of [5, 5, 6, 7]) channels.send(channel, new Uint8Array(10));
    const { pieces } = write(channels);
    expect(pieces.map(({ channel }) => channel)).to.eql([5, 6, 7, 5]);
    expect(pieces.map(({ id }) => id)).to.eql([1, 2, 3, 4]);
    expect(write(channels).bytes).to.equal(0);
  });

  it('name the newest unacknowledged message of the channel as predecessor, or none', () => {
    const channels = create();
    channels.send(1, new Uint8Array(10));
    channels.send(1, new Uint8Array(10));
    const first = write(channels);
    expect(first.pieces.map(({ predecessor }) => predecessor)).to.eql([0, 1]);
    channels.send(2, new Uint8Array(10));
    expect(write(channels).pieces).to.deep.include({
      channel: 2,
      id: 3,
      predecessor: 0,
      offset: 0,
      length: 10,
    });
    channels.onAcked(first.packet);
    channels.send(1, new Uint8Array(10));
    expect(write(channels).pieces[0]).to.include({ channel: 1, id: 4, predecessor: 0 });
  });

  it('forget a channel once all of it is acknowledged', () => {
    const channels = create();
    channels.send(1, new Uint8Array(3000));
    const packets = [write(channels), write(channels), write(channels)];
    expect(channels.bufferedBytes).to.equal(3064);
    for (const { packet } of packets) {
      expect(channels.activeChannels).to.equal(1);
      channels.onAcked(packet);
    }
    expect(channels).to.include({ activeChannels: 0, bufferedBytes: 0 });
    expect(packets[0]?.packet.messages[0]?.bytes.length).to.equal(0);
  });

  it('cut a long message into full packets', () => {
    const channels = create();
    channels.send(1, new Uint8Array(3000));
    const written = [write(channels), write(channels), write(channels)];
    expect(written.slice(0, 2).map(({ bytes }) => bytes)).to.eql([1187, 1187]);
    const lengths = written.map(({ pieces }) => pieces[0]?.length ?? 0);
    expect(lengths.reduce((sum, length) => sum + length)).to.equal(3000);
    expect(written.map(({ pieces }) => pieces[0]?.offset)).to.eql([
      0,
      lengths[0],
      (lengths[0] ?? 0) + (lengths[1] ?? 0),
    ]);
  });

  it('do not cut a short message to fill a packet', () => {
    const channels = create();
    channels.send(1, new Uint8Array(1000));
    channels.send(2, new Uint8Array(250));
    expect(write(channels).pieces.map(({ length }) => length)).to.eql([1000]);
    expect(write(channels).pieces.map(({ length }) => length)).to.eql([250]);
  });

  it('send lost pieces again, before anything new, in packets of another size', () => {
    const channels = create();
    channels.send(1, new Uint8Array(3000));
    const large = write(channels, 4000);
    channels.send(2, new Uint8Array(10));
    channels.onLost(large.packet);
    const again = [write(channels), write(channels), write(channels)];
    const pieces = again.flatMap((each) => each.pieces);
    expect(pieces.slice(0, 3).every(({ id }) => id === 1)).to.equal(true);
    expect(pieces.at(-1)).to.include({ channel: 2 });
    expect(channels.retransmittedBytes).to.equal(3000);
    for (const { packet } of again) channels.onAcked(packet);
    expect(channels.activeChannels).to.equal(0);
  });

  it('do not send a lost piece again that has arrived after all', () => {
    const channels = create();
    channels.send(1, new Uint8Array(2000));
    const [first, second] = [write(channels), write(channels)];
    channels.onLost(first.packet);
    channels.onAcked(first.packet);
    expect(write(channels).bytes).to.equal(0);
    channels.onLost(second.packet);
    channels.onAcked(second.packet);
    expect(write(channels).bytes).to.equal(0);
    expect(channels).to.include({ activeChannels: 0, hasData: false });
  });

  it('send an empty message, and send it again when it is lost', () => {
    const channels = create();
    channels.send(1, new Uint8Array(0));
    const { packet, pieces } = write(channels);
    expect(pieces[0]).to.include({ length: 0 });
    channels.onLost(packet);
    expect(write(channels, 14).bytes).to.equal(0);
    const again = write(channels);
    expect(again.pieces[0]).to.include({ id: 1, length: 0 });
    channels.onAcked(again.packet);
    expect(channels.activeChannels).to.equal(0);
  });

  it('begin no message beyond the window of its channel, and go on when it is acknowledged', () => {
    const channels = create();
    for (let count = 0; count < 3; count += 1) channels.send(1, new Uint8Array(4_936));
    const first = write(channels, 60_000);
    expect(first.pieces.length).to.equal(2);
    expect(write(channels, 60_000).bytes).to.equal(0);
    channels.send(2, new Uint8Array(10));
    expect(write(channels, 60_000).pieces[0]).to.include({ channel: 2 });
    channels.onAcked(first.packet);
    expect(write(channels, 60_000).pieces[0]).to.include({ channel: 1, id: 4, predecessor: 0 });
  });

  it('begin one message that is longer than the window of its channel', () => {
    const channels = create();
    channels.send(1, new Uint8Array(50_000));
    channels.send(1, new Uint8Array(0));
    expect(write(channels, 60_000).pieces.length).to.equal(1);
  });

  it('begin no message without credit, nobody overtakes, and begun messages go on', () => {
    const credit = new SendCredit(3000);
    const channels = new Channels(LIMITS, credit, () => undefined);
    channels.send(1, new Uint8Array(2000));
    channels.send(2, new Uint8Array(5000));
    channels.send(3, new Uint8Array(10));
    expect(write(channels).pieces.map(({ channel }) => channel)).to.eql([1]);
    expect(write(channels).pieces.map(({ channel }) => channel)).to.eql([1]);
    expect(write(channels).bytes).to.equal(0);
    credit.raise(2064 + 5064);
    channels.onCredit();
    expect(write(channels, 60_000).pieces.map(({ channel }) => channel)).to.eql([2]);
    credit.raise(2064 + 5064 + 74);
    channels.onCredit();
    expect(write(channels).pieces.map(({ channel }) => channel)).to.eql([3]);
  });

  it('share packets between long messages of different channels', () => {
    const channels = create();
    channels.send(1, new Uint8Array(5000));
    channels.send(2, new Uint8Array(5000));
    const order = [1, 2, 3, 4].map(() => write(channels).pieces[0]?.channel);
    expect(order).to.eql([1, 2, 1, 2]);
  });

  it('refuse a message that is too long, at the bound', () => {
    const channels = create();
    expect(
      refusal(() => {
        channels.send(1, new Uint8Array(100_001));
      }),
    ).to.equal('too-large');
    expect(
      refusal(() => {
        channels.send(1, new Uint8Array(100_000));
      }),
    ).to.equal('none');
  });

  it('refuse to buffer beyond the bound, and owe one drain when half of it is free', () => {
    const channels = create({ sendBufferBytes: 10_000, channelWindowBytes: 100_000 });
    channels.send(1, new Uint8Array(4_936));
    channels.send(2, new Uint8Array(4_936));
    expect(
      refusal(() => {
        channels.send(3, new Uint8Array(0));
      }),
    ).to.equal('buffer-full');
    expect(channels.takeDrain()).to.equal(false);
    channels.onAcked(write(channels, 60_000).packet);
    expect(channels.takeDrain()).to.equal(true);
    expect(channels.takeDrain()).to.equal(false);
    channels.send(3, new Uint8Array(0));
  });

  it('take one message that alone is longer than the buffer', () => {
    const channels = create({ sendBufferBytes: 100 });
    channels.send(1, new Uint8Array(1000));
    expect(
      refusal(() => {
        channels.send(1, new Uint8Array(0));
      }),
    ).to.equal('buffer-full');
  });

  it('refuse a further channel while all are in use', () => {
    const channels = create();
    for (let channel = 0; channel < 4; channel += 1) channels.send(channel, new Uint8Array(10));
    expect(
      refusal(() => {
        channels.send(4, new Uint8Array(10));
      }),
    ).to.equal('buffer-full');
    expect(
      refusal(() => {
        channels.send(3, new Uint8Array(10));
      }),
    ).to.equal('none');
    channels.onAcked(write(channels).packet);
    expect(channels.takeDrain()).to.equal(true);
    expect(
      refusal(() => {
        channels.send(4, new Uint8Array(10));
      }),
    ).to.equal('none');
  });

  it('send unordered messages on no channel, in turns with all others', () => {
    const channels = create();
    channels.send(1, new Uint8Array(3000), { ordered: false });
    channels.send(1, new Uint8Array(10));
    channels.send(1, new Uint8Array(10), { ordered: false });
    channels.send(1, new Uint8Array(10));
    expect(channels.activeChannels).to.equal(1);
    const written = [write(channels), write(channels), write(channels)];
    const pieces = written.flatMap((each) => each.pieces);
    expect(pieces.map(({ id }) => id)).to.eql([1, 2, 3, 1, 4, 1]);
    expect(pieces.map(({ predecessor }) => predecessor)).to.eql([0, 0, 0, 0, 2, 0]);
    for (const { packet } of written) channels.onAcked(packet);
    expect(channels).to.include({ activeChannels: 0, bufferedBytes: 0, hasData: false });
  });

  it('hold back no unordered message for the window of its channel', () => {
    const channels = create();
    channels.send(1, new Uint8Array(10_000));
    channels.send(1, new Uint8Array(10));
    for (let count = 0; count < 3; count += 1) {
      channels.send(1, new Uint8Array(9_000), { ordered: false });
    }
    expect(write(channels, 60_000).pieces.map(({ id }) => id)).to.eql([1, 2, 3, 4]);
    expect(write(channels, 60_000).bytes).to.equal(0);
  });
});
