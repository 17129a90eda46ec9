import { expect } from 'chai';
import type { CommandRecord } from '../../cli/command_record.ts';
import { Windows } from './windows.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const FILE = 7;
const NOTHING_LOST: ReadonlySet<number> = new Set();

let clock = 0n;

const record = (rest: Partial<CommandRecord>): CommandRecord => ({
  node: 'n1',
  index: 0,
  command: 'read',
  file: FILE,
  offset: 0,
  ok: true,
  startNs: clock++,
  endNs: clock++,
  ...rest,
});

const read = (text: string): CommandRecord => record({ data: bytesOf(text) });
const written = (text: string): CommandRecord =>
  record({ command: 'write', data: bytesOf(text), copies: 2 });
const unanswered = (text: string): CommandRecord =>
  record({
    command: 'write',
    data: bytesOf(text),
    ok: false,
    error: 'gone',
    errorCode: 'ECONNLOST',
  });

const holding = (text: string): ReadonlyMap<number, Uint8Array> => new Map([[FILE, bytesOf(text)]]);

describe('windows of a history', () => {
  let windows: Windows;

  beforeEach(() => {
    clock = 0n;
    windows = new Windows(() => bytesOf('....'));
  });

  it('begins each window with what the files held at the end of the last', () => {
    expect(windows.cut([written('aaaa')], holding('aaaa'), NOTHING_LOST)).to.deep.equal({
      problems: [],
      acknowledged: 1,
      lookedFor: 1,
      lookedForAgain: 0,
      lostWithFiles: 0,
    });
    expect(windows.cut([read('aaaa')], holding('aaaa'), NOTHING_LOST).problems).to.deep.equal([]);
    const { problems } = windows.cut([read('....')], holding('....'), NOTHING_LOST);
    expect(problems[0]).to.match(/^linearizable: violation, file 7/);
  });

  it('finds an acknowledged write that nobody overwrote and that is not there', () => {
    const { problems } = windows.cut([written('aaaa')], holding('....'), NOTHING_LOST);
    expect(problems).to.deep.equal(['file 7 at 0: an acknowledged write is not there']);
  });

  it('looks for the later of two writes, and leaves two at once to the checker', () => {
    const first = windows.cut([written('aaaa'), written('bbbb')], holding('aaaa'), NOTHING_LOST);
    expect(first.problems).to.have.length(1);
    const [one, two] = [written('cccc'), written('dddd')];
    const together = [one, { ...two, startNs: one.startNs }];
    const second = windows.cut(together, holding('cccc'), NOTHING_LOST);
    expect(second).to.include({ acknowledged: 2, lookedFor: 0 });
  });

  it('lets a write without an answer happen in a later window, but once only', () => {
    windows.cut([unanswered('aaaa')], holding('....'), NOTHING_LOST);
    const later = windows.cut(
      [read('....'), read('aaaa'), written('bbbb')],
      holding('bbbb'),
      NOTHING_LOST,
    );
    expect(later.problems).to.deep.equal([]);
    const again = windows.cut([read('aaaa')], holding('bbbb'), NOTHING_LOST);
    expect(again.problems[0]).to.match(/^linearizable: violation/);
  });

  it('counts what is gone with a file that was declared lost, and begins it anew', () => {
    const lost = windows.cut([written('aaaa')], holding('....'), new Set([FILE]));
    expect(lost).to.include({ acknowledged: 1, lookedFor: 1, lostWithFiles: 1 });
    expect(lost.problems).to.deep.equal([]);
    const after = windows.cut([read('....')], holding('....'), NOTHING_LOST);
    expect(after).to.deep.include({ problems: [], lookedForAgain: 0 });
  });

  it('finds a write of an earlier window gone, in the files that are read again', () => {
    windows.cut([written('aaaa')], holding('aaaa'), NOTHING_LOST);
    const unread = windows.cut([], new Map(), NOTHING_LOST);
    expect(unread).to.deep.include({ problems: [], lookedForAgain: 0 });
    const there = windows.cut([], holding('aaaa'), NOTHING_LOST);
    expect(there).to.deep.include({ problems: [], lookedFor: 0, lookedForAgain: 1 });
    expect(windows.cut([], holding('....'), NOTHING_LOST).problems).to.deep.equal([
      'file 7 at 0: an acknowledged write of an earlier window is not there',
    ]);
  });

  it('counts a write of an earlier window that is gone with a file declared lost', () => {
    windows.cut([written('aaaa')], holding('aaaa'), NOTHING_LOST);
    const lost = windows.cut([], holding('....'), new Set([FILE]));
    expect(lost).to.deep.include({ problems: [], lookedForAgain: 1, lostWithFiles: 1 });
  });

  it('looks for the last of the writes of all windows, and for none that was overwritten without an answer', () => {
    windows.cut([written('aaaa')], holding('aaaa'), NOTHING_LOST);
    windows.cut([written('bbbb')], holding('bbbb'), NOTHING_LOST);
    expect(windows.cut([], holding('bbbb'), NOTHING_LOST).problems).to.deep.equal([]);
    for (const records of [[unanswered('cccc')], []]) {
      const after = windows.cut(records, holding('cccc'), NOTHING_LOST);
      expect(after).to.deep.include({ problems: [], lookedFor: 0, lookedForAgain: 0 });
    }
  });

  it('knows every file that was ever written', () => {
    windows.cut([written('aaaa'), record({ file: 8 })], holding('aaaa'), NOTHING_LOST);
    windows.cut([unanswered('bbbb')], holding('aaaa'), NOTHING_LOST);
    expect([...windows.written]).to.deep.equal([FILE]);
  });
});
