import { expect } from 'chai';
import fc from 'fast-check';
import { ByteReader } from '../../rudp/byte_reader.ts';
import {
  blankMessageFrame,
  cutReason,
  FRAME,
  isMessageFrame,
  MESSAGE_BITS,
  messageHeaderBytes,
  readAck,
  readClose,
  readMessageFrame,
  writeAck,
  writeClose,
  writeMessageHeader,
  type AckFrame,
  type MessageFrame,
} from '../../rudp/frame_codec.ts';
import { MAX_CHANNEL, MAX_REASON_BYTES } from '../../rudp/limits.ts';
import { RangeSet } from '../../rudp/range_set.ts';
import { writeVarint } from '../../rudp/varint.ts';

const readMessage = (bytes: Uint8Array): MessageFrame | undefined => {
  const frame = blankMessageFrame();
  const type = bytes[0] ?? 0;
  if (!isMessageFrame(type)) return undefined;
  return readMessageFrame(new ByteReader(bytes, 1), type, frame) ? frame : undefined;
};

/** A fragment from plain numbers, valid or not. */
const fragment = (numbers: readonly number[], payload: number): Uint8Array => {
  const bytes = new Uint8Array(100);
  bytes[0] = FRAME.message | MESSAGE_BITS.fragment;
  let at = 1;
  for (const number of numbers) at = writeVarint(bytes, at, number);
  return bytes.subarray(0, at + payload);
};

describe('ack frame', () => {
  it('is read as it was written', () => {
    const range = fc.record({ gap: fc.integer({ min: 1, max: 5 }), length: fc.nat(4) });
    fc.assert(
      fc.property(
        fc.array(range, { minLength: 1, maxLength: 40 }),
        fc.nat(2 ** 40),
        fc.nat(100_000),
        (ranges, first, delayUs) => {
          const set = new RangeSet();
          const expected: number[] = [];
          let at = first;
          for (const { gap, length } of ranges) {
            at += gap;
            set.add(at, at + length + 1);
            expected.unshift(at, at + length + 1);
            at += length + 1;
          }
          const bytes = new Uint8Array(1200);
          const end = writeAck(bytes, 0, 1200, set, delayUs / 1000);
          const frame: AckFrame = { ackDelayMs: 0, bounds: [] };
          expect(bytes[0]).to.equal(FRAME.ack);
          expect(readAck(new ByteReader(bytes, 1, end), frame)).to.equal(true);
          expect(frame.bounds).to.eql(expected);
          expect(frame.ackDelayMs).to.equal(delayUs / 1000);
        },
      ),
    );
  });

  it('is malformed if a range goes below zero, or there are too many, or it is cut short', () => {
    const read = (...bytes: number[]): boolean =>
      readAck(new ByteReader(Uint8Array.from(bytes)), { ackDelayMs: 0, bounds: [] });
    expect(read(5, 0, 0, 5)).to.equal(true);
    expect(read(5, 0, 0, 6)).to.equal(false);
    expect(read(5, 0, 1, 2, 0, 1)).to.equal(true);
    expect(read(5, 0, 1, 2, 0, 2)).to.equal(false);
    expect(read(5, 0, 1, 2, 3, 0)).to.equal(false);
    expect(read(5, 0, 1, 2, 0)).to.equal(false);
    expect(read(5, 0, 64, 0)).to.equal(false);
  });
});

describe('message frames', () => {
  it('are read as they were written, and their header is as long as announced', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 45 }),
        fc.nat(MAX_CHANNEL),
        fc.nat(1000),
        fc.boolean(),
        fc.uint8Array({ maxLength: 300 }),
        (id, channelNumber, distance, ordered, payload) => {
          const follows = ordered && distance > 0 && distance < id;
          const predecessor = follows ? id - distance : 0;
          const bytes = new Uint8Array(400);
          const message = { id, channelNumber, ordered, predecessor, totalBytes: payload.length };
          const at = writeMessageHeader(bytes, 0, message, 0);
          expect(at).to.equal(messageHeaderBytes(message));
          bytes.set(payload, at);
          expect(readMessage(bytes.subarray(0, at + payload.length))).to.eql({
            ...message,
            abandoned: false,
            offset: 0,
            length: payload.length,
            payloadAt: at,
          });
          if (payload.length > 0) {
            expect(readMessage(bytes.subarray(0, at + payload.length - 1))).to.equal(undefined);
          }
        },
      ),
    );
  });

  it('say that a message will not come, without its bytes', () => {
    for (const ordered of [true, false]) {
      const bytes = new Uint8Array(100);
      const predecessor = ordered ? 5 : 0;
      const message = { id: 7, channelNumber: 3, ordered, predecessor, totalBytes: 50_000 };
      const payloadAt = writeMessageHeader(bytes, 0, message, MESSAGE_BITS.abandoned);
      expect(readMessage(bytes.subarray(0, payloadAt))).to.eql({
        ...message,
        abandoned: true,
        offset: 0,
        length: 0,
        payloadAt,
      });
    }
    const types = Array.from({ length: 256 }, (_, type) => type).filter(isMessageFrame);
    expect(types).to.eql([0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0e]);
  });

  it('are malformed if a piece lies outside its message, is empty, or follows itself', () => {
    // id, channel, distance to the predecessor, total, offset, length
    expect(readMessage(fragment([7, 1, 2, 10, 6, 4], 4))).to.include({ predecessor: 5 });
    expect(readMessage(fragment([7, 1, 2, 10, 7, 4], 4))).to.equal(undefined);
    expect(readMessage(fragment([7, 1, 2, 10, 6, 0], 0))).to.equal(undefined);
    expect(readMessage(fragment([0, 1, 0, 10, 6, 4], 4))).to.equal(undefined);
    expect(readMessage(fragment([7, 1, 7, 10, 6, 4], 4))).to.equal(undefined);
    expect(readMessage(fragment([7, 1, 8, 10, 6, 4], 4))).to.equal(undefined);
    expect(readMessage(fragment([7, MAX_CHANNEL, 2, 10, 6, 4], 4))).to.not.equal(undefined);
    expect(readMessage(fragment([7, MAX_CHANNEL + 1, 2, 10, 6, 4], 4))).to.equal(undefined);
  });
});

describe('close frame', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.string({ maxLength: 60 }), (code, reason) => {
        const bytes = new Uint8Array(1200);
        const end = writeClose(bytes, 0, code, reason);
        expect(readClose(new ByteReader(bytes, 1, end))).to.eql({ code, reason });
      }),
    );
  });

  it(`carries a reason of ${MAX_REASON_BYTES} bytes, cut between characters`, () => {
    expect(cutReason('x'.repeat(300)).length).to.equal(MAX_REASON_BYTES);
    expect(cutReason('x' + 'ü'.repeat(300)).length).to.equal(MAX_REASON_BYTES - 1);
    const bytes = new Uint8Array(400);
    const at = writeVarint(bytes, writeVarint(bytes, 0, 1), MAX_REASON_BYTES + 1);
    expect(readClose(new ByteReader(bytes, 0, at + 300))).to.equal(undefined);
  });
});
