import { expect } from 'chai';
import fc from 'fast-check';
import { FsError } from '../../protocol/errors.ts';
import { encodeFrame, FRAME_LIMIT_BYTES, FrameDecoder } from '../../protocol/framing.ts';

const header = (lengthBytes: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, lengthBytes);
  return bytes;
};

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
  } catch (error) {
    return error instanceof FsError ? error.code : String(error);
  }
  return undefined;
};

describe('frames of a unix socket', () => {
  it('puts the length first, big endian', () => {
    const frame = encodeFrame(Uint8Array.of(7, 8, 9));
    expect([...frame]).to.deep.equal([0, 0, 0, 3, 7, 8, 9]);
  });

  it('gives back every body, in order, however the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
    const cuts = fc.array(fc.integer({ min: 1, max: 13 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(bodies, cuts, (sent, sizes) => {
        const stream = sent.flatMap((body) => [...encodeFrame(body)]);
        const decoder = new FrameDecoder();
        const received: number[][] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          const chunk = Uint8Array.from(stream.slice(at, at + size));
          received.push(...decoder.push(chunk).map((body) => [...body]));
          at += size;
        }
        expect(received).to.deep.equal(sent.map((body) => [...body]));
        expect(decoder.atBoundary).to.equal(true);
      }),
    );
  });

  it('knows a stream that ends inside a frame', () => {
    const decoder = new FrameDecoder();
    decoder.push(encodeFrame(Uint8Array.of(1, 2, 3)).subarray(0, 5));
    expect(decoder.atBoundary).to.equal(false);
  });

  it('takes a body of the limit, in chunks, and refuses one byte more', () => {
    const decoder = new FrameDecoder();
    decoder.push(header(FRAME_LIMIT_BYTES));
    const half = new Uint8Array(FRAME_LIMIT_BYTES / 2).fill(5);
    expect(decoder.push(half)).to.deep.equal([]);
    const [body] = decoder.push(half);
    expect(body?.length).to.equal(FRAME_LIMIT_BYTES);
    expect(body?.every((byte) => byte === 5)).to.equal(true);
    expect(codeOf(() => decoder.push(header(FRAME_LIMIT_BYTES + 1)))).to.equal('EPROTO');
    expect(codeOf(() => encodeFrame(new Uint8Array(FRAME_LIMIT_BYTES + 1)))).to.equal('EPROTO');
  });

  it('stays refused after a frame that is too long', () => {
    const decoder = new FrameDecoder();
    expect(codeOf(() => decoder.push(header(0xffffffff)))).to.equal('EPROTO');
    expect(codeOf(() => decoder.push(encodeFrame(Uint8Array.of(1))))).to.equal('EPROTO');
  });
});
