import { expect } from 'chai';
import fc from 'fast-check';
import { ByteReader } from '../../rudp/byte_reader.ts';
import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import {
  decodeIntroduction,
  encodeIntroduction,
  introductionOf,
} from '../../rudp/handshake_codec.ts';
import { resolveOptions } from '../../rudp/options.ts';
import {
  connectionIdOf,
  DATA_HEADER_BYTES,
  decodeHello,
  encodeHello,
  encodeRefuse,
  encodeReset,
  encodeRetry,
  newConnectionId,
  packetNumberOf,
  REFUSE_BYTES,
  RESET_BYTES,
  writeDataHeader,
} from '../../rudp/packet_codec.ts';

const TAG = new Uint8Array(8);

describe('data packet header', () => {
  it('gives back the connection id and, near the expected one, the packet number', () => {
    const window = 2 ** 31;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.nat(2 ** 45),
        fc.integer({ min: -window + 2, max: window - 2 }),
        (id, largest, distance) => {
          const packetNumber = Math.max(0, largest + distance);
          const bytes = new Uint8Array(DATA_HEADER_BYTES);
          expect(writeDataHeader(bytes, id, packetNumber)).to.equal(DATA_HEADER_BYTES);
          expect(connectionIdOf(bytes)).to.equal(id);
          expect(packetNumberOf(bytes, largest)).to.equal(packetNumber);
        },
      ),
    );
  });

  it('reads the example of RFC 9000, appendix A.3, in 32 bits', () => {
    const bytes = new Uint8Array(DATA_HEADER_BYTES);
    writeDataHeader(bytes, 1, 0x3_0000_0001);
    expect(packetNumberOf(bytes, 0x2_ffff_fff0)).to.equal(0x3_0000_0001);
    expect(packetNumberOf(bytes, -1)).to.equal(1);
  });
});

describe('hello', () => {
  const cookie = Uint8Array.from([1, 2, 3]);
  const message = Uint8Array.from([9, 8, 7, 6]);

  it('is padded to 1,200 bytes and read as it was written', () => {
    const bytes = encodeHello(77, cookie, message);
    expect(bytes.length).to.equal(1200);
    const hello = decodeHello(bytes);
    expect(hello).to.deep.include({ clientId: 77, version: 1 });
    expect([...(hello?.cookie ?? [])]).to.eql([1, 2, 3]);
    expect([...(hello?.message ?? [])]).to.eql([9, 8, 7, 6]);
  });

  it('is none if it is short, of another magic, or of no id', () => {
    const bytes = encodeHello(77, cookie, message);
    expect(decodeHello(bytes.subarray(0, 1199))).to.equal(undefined);
    expect(decodeHello(encodeHello(0, cookie, message))).to.equal(undefined);
    bytes[9] = 0;
    expect(decodeHello(bytes)).to.equal(undefined);
  });

  it('of another version is read as far as its version', () => {
    const bytes = encodeHello(77, cookie, message);
    bytes[13] = 200;
    expect(decodeHello(bytes)).to.deep.include({ clientId: 77, version: 200 });
  });

  it('never yields more than there is', () => {
    const bytes = encodeHello(77, cookie, message);
    bytes[14] = 255;
    bytes.fill(0xff, 14 + 256);
    expect(decodeHello(bytes)).to.equal(undefined);
  });
});

describe('answers without a connection', () => {
  it('are shorter than what they answer', () => {
    expect(encodeRetry(1, new Uint8Array(12)).length).to.be.lessThan(1200);
    expect(encodeRefuse(1, 4, 1, () => TAG).length).to.equal(REFUSE_BYTES);
    expect(encodeReset(1, TAG).length).to.equal(RESET_BYTES);
  });

  it('carry the id they answer', () => {
    expect(connectionIdOf(encodeReset(2 ** 53 - 1, TAG))).to.equal(2 ** 53 - 1);
    expect(connectionIdOf(Uint8Array.from([5, 0, 0x20, 0, 0, 0, 0, 0, 0]))).to.equal(0);
  });
});

describe('connection ids', () => {
  it('use all 53 bits, and never are 0', () => {
    expect(newConnectionId(() => 0)).to.equal(1);
    expect(newConnectionId(() => 1 - 2 ** -32)).to.equal(Number.MAX_SAFE_INTEGER);
  });
});

describe('introduction', () => {
  const options = resolveOptions({
    name: 'näme',
    incarnation: 2 ** 53 - 1,
    protection: createChecksumProtection(),
    random: () => 0.5,
    maxAckDelayMs: 2.5,
    maxDatagramBytes: 60_000,
  });

  it('is read as it was written', () => {
    const far = introductionOf(options);
    expect(far).to.include({ name: 'näme', maxAckDelayMs: 2.5, maxDatagramBytes: 60_000 });
    expect(decodeIntroduction(new ByteReader(encodeIntroduction(far)))).to.eql(far);
  });

  it('tolerates a parameter it does not know, and misses one it needs', () => {
    const bytes = encodeIntroduction(introductionOf(options));
    const countAt = 1 + (bytes[0] ?? 0);
    const longer = Uint8Array.from([...bytes, 50, 1]);
    longer[countAt] = (bytes[countAt] ?? 0) + 1;
    expect(decodeIntroduction(new ByteReader(longer))).to.not.equal(undefined);
    const renamed = bytes.slice();
    renamed[countAt + 1] = 51;
    expect(decodeIntroduction(new ByteReader(renamed))).to.equal(undefined);
  });

  it('is refused if cut anywhere, or if its name is longer than 64 bytes', () => {
    const bytes = encodeIntroduction(introductionOf(options));
    for (let end = 0; end < bytes.length; end += 1) {
      expect(decodeIntroduction(new ByteReader(bytes.subarray(0, end)))).to.equal(undefined);
    }
    const named = (length: number) =>
      decodeIntroduction(
        new ByteReader(
          encodeIntroduction({ ...introductionOf(options), name: 'x'.repeat(length) }),
        ),
      );
    expect(named(64)).to.not.equal(undefined);
    expect(named(65)).to.equal(undefined);
  });

  it('is refused if its window has no room for the longest message, or it has no channels', () => {
    const ours = introductionOf(options);
    const read = (changes: Partial<typeof ours>) =>
      decodeIntroduction(new ByteReader(encodeIntroduction({ ...ours, ...changes })));
    expect(read({ connectionWindowBytes: ours.maxMessageBytes + 64 })).to.not.equal(undefined);
    expect(read({ connectionWindowBytes: ours.maxMessageBytes + 63 })).to.equal(undefined);
    expect(read({ maxChannels: 0 })).to.equal(undefined);
  });
});
