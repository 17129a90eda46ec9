import { expect } from 'chai';
import { handleApplicationClosed } from '../../cacher/cacher_core.ts';
import type { Message } from '../../protocol/messages.ts';
import { CacherRun, CONTENTS, dataFor, FILE, grantFor, N2, writeOf } from './cacher_run.ts';

const read = (request: number, offset = 0, length = 8): Message<'read'> => ({
  type: 'read',
  request,
  file: FILE,
  offset,
  length,
});

const answered = (messages: readonly Message[]): (number | string)[] =>
  messages.map((each) => ('request' in each ? each.request : each.type));

const codes = (messages: readonly Message[]): string[] =>
  messages.map((each) => ('code' in each ? each.code : each.type));

describe('the turns of a file', () => {
  it('come in the order of the calls, reads and writes alike', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', read(11));
    run.application('app', writeOf(12, 'abc'));
    run.application('app', read(13));
    run.server(dataFor(run.request('getShared')));
    expect(answered(run.replies())).to.deep.equal([11]);
    run.application('app', read(14));
    expect(answered(run.replies())).to.deep.equal([]);
    const request = run.cacher.files.get(FILE)?.want?.message.request ?? 0;
    run.server(grantFor(request));
    const version = { term: 1, counter: 1 };
    run.peer(N2, { type: 'backupAck', file: FILE, term: 1, version });
    expect(answered(run.replies())).to.deep.equal([12, 13, 14]);
  });

  it('give every waiting read the piece that it asked for', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', read(11, 1, 2));
    run.application('app', read(12, 6, 100));
    run.server(dataFor(run.request('getShared')));
    const texts = run
      .replies()
      .map((each) => (each.type === 'readDone' ? new TextDecoder().decode(each.bytes) : ''));
    expect(texts).to.deep.equal(['on', 'ts']);
  });

  it('go on with the next call when the one whose turn it is fails', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', read(11));
    run.application('app', read(12));
    const request = run.request('getShared');
    run.server({ type: 'failed', request, code: 'EIO', message: 'a bad block' });
    expect(answered(run.replies())).to.deep.equal([11]);
    run.server(dataFor(run.cacher.files.get(FILE)?.want?.message.request ?? 0));
    expect(answered(run.replies())).to.deep.equal([12]);
  });

  it('write through what replaces the whole file, when nobody can supply its contents', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', writeOf(11, 'contents'));
    const refusal = { type: 'failed', code: 'EIO', message: 'a bad block' } as const;
    run.server({ ...refusal, request: run.request('getModified') });
    const request = run.request('writeThrough');
    expect(answered(run.replies())).to.deep.equal([]);
    run.server({ ...refusal, request });
    expect(codes(run.replies())).to.deep.equal(['EIO']);
    run.application('app', writeOf(12, 'content'));
    run.server({ ...refusal, request: run.request('getModified') });
    expect(codes(run.replies())).to.deep.equal(['EIO']);
  });

  it('leave out an application that has gone, and do not lose its write that is under way', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', writeOf(11, 'abc'));
    const request = run.request('getModified');
    handleApplicationClosed(run.cacher, 'app', 0);
    run.server(grantFor(request));
    expect(run.sent(N2)[0]).to.deep.include({ type: 'backupWrite', whole: true });
    expect(run.text()).to.equal('contents');
  });
});

describe('where a read is served from', () => {
  it('is the source of the data for the call that asked, and local memory after that', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', read(11));
    run.server({ ...dataFor(run.request('getShared')), source: 'peer' });
    run.application('app', read(12));
    const sources = run.replies().map((each) => (each.type === 'readDone' ? each.source : ''));
    expect(sources).to.deep.equal(['peer', 'local']);
    const { reads, readsLocal, readsPeer } = run.cacher.counters;
    expect({ reads, readsLocal, readsPeer }).to.deep.equal({
      reads: 2,
      readsLocal: 1,
      readsPeer: 1,
    });
  });

  it('counts what went through the server, too, and adds up', () => {
    const run = new CacherRun({ pages: 0 });
    run.open();
    run.application('app', read(11));
    const request = run.request('readThrough');
    const done = {
      request,
      file: FILE,
      bytes: CONTENTS,
      version: { term: 0, counter: 0 },
    } as const;
    run.server({ type: 'readThroughDone', ...done, source: 'disk' });
    run.server({ type: 'readThroughDone', ...done, source: 'disk' });
    expect(answered(run.replies())).to.deep.equal([11]);
    const { reads, readsLocal, readsPeer, readsServer, readsDisk, readsThrough } =
      run.cacher.counters;
    expect([reads, readsLocal, readsPeer, readsServer, readsDisk]).to.deep.equal([1, 0, 0, 0, 1]);
    expect(readsThrough).to.equal(1);
  });
});

describe('a write through the server', () => {
  const through = (pages: number): { run: CacherRun; request: number } => {
    const run = new CacherRun({ pages });
    run.open();
    run.application('app', writeOf(11, 'abc'));
    if (pages === 0) return { run, request: run.request('writeThrough') };
    const request = run.request('getModified');
    const order = { epoch: 1, sequence: 1 };
    run.server({ type: 'noBackup', order, file: FILE, request });
    return { run, request: run.request('writeThrough') };
  };

  const done = (request: number, bytes: Uint8Array): Message<'writeThroughDone'> => ({
    type: 'writeThroughDone',
    request,
    file: FILE,
    count: 3,
    order: { epoch: 1, sequence: 2 },
    version: { term: 1, counter: 1 },
    bytes,
    outcomes: [],
  });

  it('is answered once, is receipted every time, and leaves no copy without pages', () => {
    const { run, request } = through(0);
    run.server(done(request, new Uint8Array(0)));
    run.server(done(request, new Uint8Array(0)));
    const commands = run.take();
    const replies = commands.filter((each) => each.do === 'reply');
    const receipts = commands.filter(
      (each) => each.do === 'send' && each.message.type === 'received',
    );
    expect(replies.length).to.equal(1);
    expect(receipts.length).to.equal(2);
    expect(run.copy()).to.equal('invalid');
    expect(run.cacher.counters.writesDisk).to.equal(1);
  });

  it('leaves a clean copy where there are pages', () => {
    const { run, request } = through(1);
    run.server(done(request, new TextEncoder().encode('abctents')));
    expect(run.replies()[0]).to.include({ type: 'writeDone', count: 3, copies: 0 });
    expect(run.copy()).to.equal('shared');
    expect(run.text()).to.equal('abctents');
    expect(run.cacher.freePages).to.equal(0);
  });
});
