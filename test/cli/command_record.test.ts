import { expect } from 'chai';
import { printableText, recordAsJson, recordAsText } from '../../cli/command_record.ts';
import { recordOf } from './records.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('recordAsJson', () => {
  it('has the fields that apply, times as decimal strings', () => {
    const record = recordOf({
      node: 'n2',
      index: 3,
      file: 7,
      bytes: 2,
      data: bytes('hé'),
      servedFrom: 'peer',
      startNs: 9_007_199_254_740_993n,
      endNs: 9_007_199_254_740_999n,
      copies: 2,
      offset: 4,
    });
    expect(recordAsJson(record)).to.equal(
      '{"node":"n2","index":3,"command":"read","file":7,"bytes":2,"data":"hé","ok":true,' +
        '"servedFrom":"peer","startNs":"9007199254740993","endNs":"9007199254740999"}',
    );
  });

  it('gives bytes that are no printable text as base64', () => {
    const json = recordAsJson(recordOf({ data: Uint8Array.of(0, 255) }));
    expect(JSON.parse(json)).to.include({ dataBase64: 'AP8=' }).and.not.have.property('data');
  });

  it('keeps every byte of a long base64', () => {
    const data = Uint8Array.from({ length: 100_001 }, (_, index) => index % 251);
    const { dataBase64 } = JSON.parse(recordAsJson(recordOf({ data }))) as { dataBase64: string };
    expect(Buffer.from(dataBase64, 'base64').equals(data)).to.equal(true);
  });
});

describe('printableText', () => {
  it('takes UTF-8 with line breaks and tabs, and nothing that a terminal would obey', () => {
    expect(printableText(bytes('a\n\tb€'))).to.equal('a\n\tb€');
    expect(printableText(bytes('\u001b[31m'))).to.equal(undefined);
    expect(printableText(bytes('\u007f'))).to.equal(undefined);
    expect(printableText(Uint8Array.of(0xc3))).to.equal(undefined);
    expect(printableText(bytes('\ufeffx'))).to.equal(undefined);
  });
});

describe('recordAsText', () => {
  it('tells node, command, time, what was read and from where', () => {
    const line = recordAsText(recordOf({ file: 7, data: bytes('hi'), servedFrom: 'peer' }));
    expect(line).to.match(/^ {2}n1 +read 7 +1\.00 ms {2}"hi" from peer memory$/);
  });

  it('tells how many memories hold a write', () => {
    const write = { command: 'write', data: bytes('x') } as const;
    expect(recordAsText(recordOf({ ...write, copies: 2 }))).to.match(/"x" in 2 memories$/);
    expect(recordAsText(recordOf({ ...write, copies: 0 }))).to.match(/"x" on disk$/);
  });

  it('marks what failed, but not what was expected to', () => {
    const failed = { command: 'open', mode: 1, error: 'EBUSY: taken' } as const;
    expect(recordAsText(recordOf({ ...failed, ok: false }))).to.match(
      /^! n1 +open 1 to write .*EBUSY: taken$/,
    );
    expect(recordAsText(recordOf({ ...failed, ok: true }))).to.match(/^ {2}n1.*\(expected\) EBUSY/);
  });

  it('cuts long data and says what cannot be shown', () => {
    expect(recordAsText(recordOf({ data: bytes('x'.repeat(60)) }))).to.match(/"x{48}"…$/);
    expect(recordAsText(recordOf({ data: Uint8Array.of(1) }))).to.match(/<1 byte, not printable>$/);
  });
});
