import { expect } from 'chai';
import { cutMessages } from '../../netem/transports/stream_messages.ts';

const framed = (...texts: string[]): Buffer =>
  Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return [length, Buffer.from(text)];
    }),
  );

describe('messages on a stream of bytes', () => {
  it('come out whole, however the stream was cut', () => {
    const stream = framed('a', '', 'bcd', 'e'.repeat(100));
    for (let size = 1; size <= stream.length; size += 1) {
      const got: string[] = [];
      const take = cutMessages((message) => got.push(message.toString()));
      for (let at = 0; at < stream.length; at += size) take(stream.subarray(at, at + size));
      expect(got, `chunks of ${size}`).to.eql(['a', '', 'bcd', 'e'.repeat(100)]);
    }
  });
});
