import { expect } from 'chai';
import fc from 'fast-check';
import { CLOSE } from '../../rudp/errors.ts';
import { ReceiveCredit } from '../../rudp/flow_control.ts';
import type { MessageFrame } from '../../rudp/frame_codec.ts';
import { Reassembly, type ReassemblyLimits } from '../../rudp/reassembly.ts';

interface Piece {
  readonly id: number;
  readonly channel?: number;
  readonly ordered?: boolean;
  readonly predecessor?: number;
  readonly total: number;
  readonly offset?: number;
  readonly length?: number;
  readonly abandoned?: boolean;
}

const LIMITS: ReassemblyLimits = {
  maxMessageBytes: 1000,
  maxChannels: 3,
  channelWindowBytes: 1000,
  connectionWindowBytes: 1e6,
};

/** The byte at `offset` of message `id`. */
const byteOf = (id: number, offset: number): number => (id * 31 + offset) & 0xff;

class Receiver {
  readonly delivered: string[] = [];
  readonly credit: ReceiveCredit;
  readonly reassembly: Reassembly;

  constructor(window = 1e6, limits: Partial<ReassemblyLimits> = {}) {
    this.credit = new ReceiveCredit(window);
    this.reassembly = new Reassembly({ ...LIMITS, ...limits }, this.credit, (channel, message) => {
      const id = this.#identify(message);
      this.delivered.push(`${channel}:${id}`);
    });
  }

  /** Messages begin with their id; all other bytes follow from it. */
  #identify(message: Uint8Array): string {
    if (message.length === 0) return 'empty';
    const first = message[0] ?? 0;
    const whole = message.every((byte, index) => byte === ((first + index) & 0xff));
    return whole ? String(first) : 'damaged';
  }

  take(piece: Piece): number | undefined {
    const { id, channel = 0, ordered = true, predecessor = 0, total, offset = 0 } = piece;
    const { abandoned = false } = piece;
    const length = piece.length ?? (abandoned ? 0 : total - offset);
    const payloadAt = 3;
    const bytes = new Uint8Array(payloadAt + length);
    for (let at = 0; at < length; at += 1) bytes[payloadAt + at] = byteOf(id, offset + at);
    const frame: MessageFrame = {
      id,
      channelNumber: channel,
      ordered,
      predecessor,
      totalBytes: total,
      abandoned,
      offset,
      length,
      payloadAt,
    };
    const violation = abandoned
      ? this.reassembly.abandon(frame)
      : this.reassembly.handle(frame, bytes);
    bytes.fill(0);
    return violation;
  }
}

const name = (channel: number, id: number): string => `${channel}:${byteOf(id, 0)}`;

describe('reassembly', () => {
  it('delivers a whole message at once, and only once', () => {
    const receiver = new Receiver();
    receiver.take({ id: 1, channel: 9, total: 10 });
    receiver.take({ id: 1, channel: 9, total: 10 });
    expect(receiver.delivered).to.eql([name(9, 1)]);
    expect(receiver.reassembly.duplicatePieces).to.equal(1);
  });

  it('puts pieces together in any order, overlapping and repeated', () => {
    const receiver = new Receiver();
    receiver.take({ id: 1, total: 100, offset: 60, length: 40 });
    receiver.take({ id: 1, total: 100, offset: 20, length: 30 });
    receiver.take({ id: 1, total: 100, offset: 60, length: 40 });
    receiver.take({ id: 1, total: 100, offset: 40, length: 20 });
    expect(receiver.delivered).to.eql([]);
    expect(receiver.reassembly.incompleteMessages).to.equal(1);
    receiver.take({ id: 1, total: 100, offset: 0, length: 20 });
    expect(receiver.delivered).to.eql([name(0, 1)]);
    expect(receiver.reassembly).to.include({ incompleteMessages: 0, heldChannels: 0 });
  });

  it('keeps the order of a channel, and lets other channels pass', () => {
    const receiver = new Receiver();
    receiver.take({ id: 3, channel: 1, predecessor: 2, total: 10 });
    receiver.take({ id: 2, channel: 1, predecessor: 1, total: 10 });
    receiver.take({ id: 4, channel: 2, total: 10 });
    expect(receiver.delivered).to.eql([name(2, 4)]);
    receiver.take({ id: 1, channel: 1, total: 10 });
    expect(receiver.delivered).to.eql([name(2, 4), name(1, 1), name(1, 2), name(1, 3)]);
    expect(receiver.reassembly).to.include({ incompleteMessages: 0, heldChannels: 0 });
  });

  it('delivers an unordered message once it is whole, and holds no channel for it', () => {
    const receiver = new Receiver(1e6, { channelWindowBytes: 100, maxChannels: 1 });
    receiver.take({ id: 2, channel: 1, predecessor: 1, total: 10 });
    for (let id = 3; id <= 6; id += 1) {
      const piece = { id, channel: 1, ordered: false, total: 500, length: 250 };
      expect(receiver.take(piece)).to.equal(undefined);
    }
    expect(receiver.reassembly).to.include({ incompleteMessages: 5, heldChannels: 1 });
    receiver.take({ id: 4, channel: 1, ordered: false, total: 500, offset: 250 });
    receiver.take({ id: 4, channel: 1, ordered: false, total: 500, offset: 250 });
    expect(receiver.delivered).to.eql([name(1, 4)]);
    expect(receiver.take({ id: 5, channel: 1, total: 500 })).to.equal(CLOSE.protocolViolation);
  });

  it('passes over an abandoned message, whether all, some or none of it has come', () => {
    const receiver = new Receiver();
    receiver.take({ id: 2, predecessor: 1, total: 20, length: 10 });
    receiver.take({ id: 3, predecessor: 2, total: 10 });
    receiver.take({ id: 5, predecessor: 4, total: 10 });
    receiver.take({ id: 2, predecessor: 1, total: 20, abandoned: true });
    receiver.take({ id: 3, predecessor: 2, total: 10, abandoned: true });
    receiver.take({ id: 4, predecessor: 3, total: 700, abandoned: true });
    receiver.take({ id: 2, predecessor: 1, total: 20, offset: 10 });
    receiver.take({ id: 4, predecessor: 3, total: 700 });
    expect(receiver.delivered).to.eql([]);
    receiver.take({ id: 1, total: 10 });
    expect(receiver.delivered).to.eql([name(0, 1), name(0, 3), name(0, 5)]);
    expect(receiver.reassembly).to.include({ incompleteMessages: 0, heldChannels: 0 });
    const taken = 3 * (10 + 64);
    expect(receiver.credit.heldBytes, 'but for what was delivered').to.equal(taken);
  });

  it('takes nothing more of an abandoned message, however late or often', () => {
    const receiver = new Receiver();
    receiver.take({ id: 1, total: 10, abandoned: true });
    receiver.take({ id: 1, total: 10, abandoned: true });
    receiver.take({ id: 1, total: 10 });
    receiver.take({ id: 2, ordered: false, total: 10, length: 5 });
    receiver.take({ id: 2, ordered: false, total: 10, abandoned: true });
    receiver.take({ id: 2, ordered: false, total: 10, offset: 5 });
    receiver.take({ id: 3, total: 10 });
    receiver.take({ id: 3, total: 10, abandoned: true });
    expect(receiver.delivered).to.eql([name(0, 3)]);
    expect(receiver.credit.heldBytes).to.equal(10 + 64);
  });

  it('holds what is abandoned against the peer until its turn has come', () => {
    const receiver = new Receiver();
    const abandoned = { predecessor: 1, total: 900, abandoned: true };
    expect(receiver.take({ id: 2, ...abandoned })).to.equal(undefined);
    expect(receiver.take({ id: 3, ...abandoned, predecessor: 2 })).to.equal(CLOSE.flowControl);
    const other = new Receiver(1_000);
    expect(other.take({ id: 2, ...abandoned })).to.equal(undefined);
    expect(other.take({ id: 3, ...abandoned, channel: 1 })).to.equal(CLOSE.flowControl);
    expect(other.take({ id: 4, ...abandoned, total: 1_001 })).to.equal(CLOSE.protocolViolation);
  });

  it('delivers empty messages in their order', () => {
    const receiver = new Receiver();
    receiver.take({ id: 2, predecessor: 1, total: 0 });
    receiver.take({ id: 2, predecessor: 1, total: 0 });
    receiver.take({ id: 1, total: 10 });
    receiver.take({ id: 2, predecessor: 1, total: 0 });
    expect(receiver.delivered).to.eql([name(0, 1), '0:empty']);
  });

  it('takes a message of the greatest length, not a longer one', () => {
    const receiver = new Receiver();
    expect(receiver.take({ id: 1, total: 1000 })).to.equal(undefined);
    expect(receiver.take({ id: 2, total: 1001, length: 5 })).to.equal(CLOSE.protocolViolation);
  });

  it('holds its credit against the peer from the first piece of a message', () => {
    const receiver = new Receiver(2 * 164);
    expect(receiver.take({ id: 1, total: 100, length: 1 })).to.equal(undefined);
    expect(receiver.take({ id: 1, total: 100, offset: 1, length: 1 })).to.equal(undefined);
    expect(receiver.take({ id: 2, total: 100 })).to.equal(undefined);
    expect(receiver.take({ id: 3, total: 0 })).to.equal(CLOSE.flowControl);
  });

  it('bounds what a channel may have undelivered', () => {
    const receiver = new Receiver();
    expect(receiver.take({ id: 1, total: 436, length: 1 })).to.equal(undefined);
    expect(receiver.take({ id: 2, total: 436, length: 1 })).to.equal(undefined);
    expect(receiver.take({ id: 3, total: 0, predecessor: 2 })).to.equal(CLOSE.flowControl);
  });

  it('bounds the channels with undelivered messages', () => {
    const receiver = new Receiver();
    for (let id = 1; id <= 3; id += 1) {
      expect(receiver.take({ id, channel: id, total: 10, length: 1 })).to.equal(undefined);
    }
    expect(receiver.take({ id: 4, channel: 4, total: 10, length: 1 })).to.equal(CLOSE.flowControl);
  });

  it('takes pieces that contradict each other for a violation', () => {
    const begun = (): Receiver => {
      const receiver = new Receiver();
      receiver.take({ id: 5, channel: 1, predecessor: 2, total: 10, length: 5 });
      return receiver;
    };
    const second = { id: 5, channel: 1, predecessor: 2, total: 10, offset: 5 };
    expect(begun().take(second)).to.equal(undefined);
    expect(begun().take({ ...second, channel: 2 })).to.equal(CLOSE.protocolViolation);
    expect(begun().take({ ...second, predecessor: 3 })).to.equal(CLOSE.protocolViolation);
    expect(begun().take({ ...second, total: 11 })).to.equal(CLOSE.protocolViolation);
  });

  it('takes two successors of one message for a violation', () => {
    const receiver = new Receiver();
    expect(receiver.take({ id: 5, predecessor: 2, total: 10 })).to.equal(undefined);
    expect(receiver.take({ id: 6, predecessor: 2, total: 10 })).to.equal(CLOSE.protocolViolation);
  });

  it('delivers every message once and in order, whatever the order of the pieces', () => {
    const scenario = fc.record({
      lengths: fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }),
      keys: fc.array(fc.nat(), { minLength: 200, maxLength: 200 }),
    });
    fc.assert(
      fc.property(scenario, ({ lengths, keys }) => {
        const receiver = new Receiver(1e6, { channelWindowBytes: 1e6 });
        const pieces: Piece[] = lengths.flatMap((total, index) => {
          const id = index + 1;
          const channel = id % 3;
          const common = { id, channel, predecessor: id > 3 ? id - 3 : 0, total };
          if (total === 0) return [common, common];
          const starts = Array.from({ length: Math.ceil(total / 17) }, (_, each) => each * 17);
          const cut = starts.map((offset) => ({
            ...common,
            offset,
            length: Math.min(17, total - offset),
          }));
          return [...cut, ...cut.slice(0, 2)];
        });
        pieces
          .map((piece, index) => ({ piece, key: keys[index] ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .forEach(({ piece }) => {
            expect(receiver.take(piece)).to.equal(undefined);
          });
        for (let channel = 0; channel < 3; channel += 1) {
          const expected = lengths.flatMap((total, index) => {
            if ((index + 1) % 3 !== channel) return [];
            return [total === 0 ? `${channel}:empty` : name(channel, index + 1)];
          });
          const prefix = `${channel}:`;
          expect(receiver.delivered.filter((each) => each.startsWith(prefix))).to.eql(expected);
        }
      }),
    );
  });

  it('ends a peer that leaves more gaps between its messages than its window allows', () => {
    const receiver = new Receiver(1e6, { connectionWindowBytes: 640 });
    const answers: (number | undefined)[] = [];
    for (let id = 2; id <= 24; id += 2) {
      answers.push(receiver.take({ id, ordered: false, total: 0 }));
      receiver.credit.consume(64);
    }
    // Ten messages may be under way, which are ten gaps, and so eleven ranges.
    expect(answers.slice(0, 11)).to.deep.equal(new Array(11).fill(undefined));
    expect(answers[11]).to.equal(CLOSE.protocolViolation);
  });
});
