import { expect } from 'chai';
import type { JournalItem } from '../../../fileserver/disk/journal_record.ts';
import {
  decodeRecord,
  encodeRecord,
  RECORD_HEADER_BYTES,
  sealRecord,
} from '../../../fileserver/disk/journal_record.ts';
import { scanJournal } from '../../../fileserver/disk/journal_scan.ts';
import { crc32c } from '../../../protocol/crc32c.ts';

const SALT = 0xdeadbeef;
const write = (length: number): JournalItem => ({
  tag: 'write',
  region: 7,
  offset: 2 ** 53 - 1,
  bytes: new Uint8Array(length).fill(0xa5),
});
const sealed = (
  sequence: number,
  items: JournalItem[],
  groupFirst = sequence,
  lastOfGroup = true,
): Uint8Array => {
  const bytes = encodeRecord(sequence, items);
  sealRecord(bytes, { groupFirst, lastOfGroup, salt: SALT });
  return bytes;
};
/** Changes a sealed record so that its checksum is right again. */
const reseal = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  bytes[at] = value;
  new DataView(bytes.buffer).setUint32(4, crc32c(bytes.subarray(8)), true);
  return bytes;
};
const ringOf = (...groups: Uint8Array[]): Uint8Array => {
  const ring = new Uint8Array(16_384);
  groups.forEach((group, index) => {
    ring.set(group, index * 4_096);
  });
  return ring;
};

describe('a journal record', () => {
  it('is decoded as it was encoded, with items of any length', () => {
    const epoch = { tag: 'epoch' as const, clusterEpoch: 2 ** 53 - 1, longestLeaseMs: 0.5 };
    const items = [write(0), epoch, ...[1, 7, 8, 9, 4_096].map(write)];
    const bytes = sealed(2 ** 53 - 1, items, 12, false);
    expect(bytes.length % 8).to.equal(0);
    expect(decodeRecord(bytes, 0, SALT)).to.deep.equal({
      sequence: 2 ** 53 - 1,
      groupFirst: 12,
      lastOfGroup: false,
      sizeBytes: bytes.length,
      items,
    });
    expect(encodeRecord(1, [])).to.have.length(RECORD_HEADER_BYTES);
  });

  it('whose checksum is right and whose numbers are none of ours is none', () => {
    // The highest bytes of sequence, group and offset, and the sign of the longest lease.
    expect(decodeRecord(reseal(sealed(9, [write(20)]), 15, 0x20), 0, SALT)).to.equal(undefined);
    expect(decodeRecord(reseal(sealed(9, [write(20)]), 23, 0x20), 0, SALT)).to.equal(undefined);
    const offset = decodeRecord(
      reseal(sealed(9, [write(20)]), RECORD_HEADER_BYTES + 15, 0x20),
      0,
      SALT,
    );
    expect(offset?.items).to.match(/offset is 2\^53 or more/);
    const epoch = { tag: 'epoch' as const, clusterEpoch: 1, longestLeaseMs: 400 };
    const lease = decodeRecord(reseal(sealed(9, [epoch]), RECORD_HEADER_BYTES + 31, 0xff), 0, SALT);
    expect(lease?.items).to.match(/longest lease/);
  });

  it('shows every flipped bit, and every cut', () => {
    const bytes = sealed(9, [write(20)]);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit % 8);
      expect(decodeRecord(flipped, 0, SALT), `bit ${bit}`).to.equal(undefined);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeRecord(bytes.subarray(0, length), 0, SALT)).to.equal(undefined);
    }
  });

  it('is of one volume: another salt is another journal', () => {
    expect(decodeRecord(sealed(9, []), 0, SALT + 1)).to.equal(undefined);
  });

  it('stops the scan if it is whole but unknown, and says where', () => {
    const cases: [Uint8Array, RegExp][] = [
      [reseal(sealed(2, []), 28, 9), /record 2 is whole, but it is of the unknown type 9/],
      [reseal(sealed(2, [write(8)]), 40, 5), /its item 0 has the unknown tag 5/],
      [reseal(sealed(2, [write(8)]), 44, 9), /it ends within its item 0/],
      [reseal(sealed(2, [write(8)]), 32, 2), /it ends before its item 1/],
    ];
    for (const [record, reason] of cases) {
      const ring = ringOf(sealed(1, []), record);
      const scan = scanJournal(ring, { position: 0, sequence: 1 }, SALT);
      expect(scan).to.include({ tag: 'corrupt', offset: 4_096 });
      expect(scan.tag === 'corrupt' && scan.reason).to.match(reason);
    }
  });

  it('is found after the head, over the end of the ring', () => {
    const ring = ringOf(
      sealed(8, [write(4_500)]),
      new Uint8Array(0),
      sealed(10, []),
      sealed(7, []),
    );
    ring.set(sealed(9, []), 8_192);
    // Positions count for ever: the ring of 16,384 bytes was gone round twice.
    const head = { position: 2 * 16_384 + 12_288, sequence: 7 };
    const scan = scanJournal(ring, head, SALT);
    if (scan.tag !== 'whole') throw new Error(scan.reason);
    expect(scan.records.map(({ sequence }) => sequence)).to.deep.equal([7, 8, 9]);
    expect(scan.end).to.deep.equal({ position: head.position + 16_384, sequence: 10 });
  });
});
