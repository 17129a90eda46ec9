import { expect } from 'chai';
import { checkDocument, checkReferences } from './document_paths.ts';

const FILES = ['rudp/rtt.ts', 'docs/rudp.md', 'docs/decisions/0001-a.md', 'README.md'];

describe('checkDocument', () => {
  const check = (text: string, path = 'docs/rudp.md') => checkDocument({ path, text }, FILES);

  it('takes files and folders that are there, by path, by name and as links', () => {
    expect(check('See `rudp/rtt.ts`, `rtt.ts`, `rudp/` and `docs/decisions`.')).to.deep.equal([]);
    expect(check('[a](decisions/0001-a.md) [b](../README.md#use)')).to.deep.equal([]);
    expect(check('[a](docs/rudp.md)', 'README.md')).to.deep.equal([]);
  });

  it('finds files that are not there', () => {
    expect(check('See `rudp/gone.ts`.')).to.deep.equal([
      'docs/rudp.md names rudp/gone.ts, which does not exist',
    ]);
    expect(check('See `gone.ts`.')).to.have.length(1);
    expect(check('See `docs/gone/`.')).to.have.length(1);
    expect(check('See [a](gone.md).')).to.have.length(1);
  });

  it('leaves alone what names no file of ours', () => {
    expect(check('`n1`, `/tmp/c`, `a.txt`, `run/n1.sock`, `ack/nack`, `dist/x.js`')).to.deep.equal(
      [],
    );
    expect(check('```\nsee `rudp/gone.ts`\n```\n')).to.deep.equal([]);
    expect(check('[RFC 9002](https://www.rfc-editor.org/rfc/rfc9002)')).to.deep.equal([]);
  });
});

describe('checkReferences', () => {
  it('finds documents that a comment names and that are not there', () => {
    const check = (text: string) => checkReferences({ path: 'rudp/rtt.ts', text }, FILES);
    expect(check('// see docs/rudp.md\n')).to.deep.equal([]);
    expect(check('// see docs/rudpp.md\n')).to.have.length(1);
  });
});
