import { expect } from 'chai';
import { historyOf, judgeHistory } from '../../cli/consistency.ts';
import { EXIT } from '../../cli/exit_status.ts';
import { recordOf } from './records.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const initial = (): Uint8Array => bytes('....');

const write = (text: string, startNs: bigint, endNs: bigint) =>
  recordOf({ command: 'write', data: bytes(text), offset: 0, copies: 2, startNs, endNs });
const read = (text: string, startNs: bigint, endNs: bigint) =>
  recordOf({ node: 'n2', data: bytes(text), offset: 0, startNs, endNs });

describe('judgeHistory', () => {
  it('passes a history in which every read brings the latest write or what filled the disk', () => {
    const history = [read('....', 0n, 1n), write('abcd', 2n, 3n), read('abcd', 4n, 5n)];
    expect(judgeHistory(history, initial)).to.deep.equal({
      status: EXIT.ok,
      lines: ['linearizable: yes (3 operations on 1 file)'],
    });
  });

  it('tells the smallest piece of a history that went wrong', () => {
    const history = [read('....', 0n, 1n), write('abcd', 2n, 3n), read('....', 4n, 5n)];
    const { status, lines } = judgeHistory(history, initial);
    expect(status).to.equal(EXIT.notLinearizable);
    expect(lines[0]).to.match(/^linearizable: no \(file 1\)/);
    expect(lines).to.have.length(3);
  });
});

describe('historyOf', () => {
  const failed = (errorCode: 'ECONNLOST' | 'EBADF') =>
    recordOf({
      command: 'write',
      data: bytes('abcdef'),
      offset: 2,
      ok: false,
      error: errorCode,
      errorCode,
    });

  it('keeps a write open whose outcome is unknown, as far as it fits in the file', () => {
    const [operation] = historyOf([failed('ECONNLOST')], initial);
    expect(operation).to.include({ kind: 'write', endNs: undefined });
    expect(operation?.bytes).to.deep.equal(bytes('ab'));
  });

  it('leaves out a write that was refused, and a read that failed', () => {
    expect(
      historyOf([failed('EBADF'), recordOf({ offset: 0, ok: false })], initial),
    ).to.have.length(0);
  });

  it('counts a read that brought something else than the set expected', () => {
    const unmet = { ...read('....', 0n, 1n), ok: false, error: 'expected "abcd"' };
    expect(historyOf([unmet], initial)).to.have.length(1);
  });
});
