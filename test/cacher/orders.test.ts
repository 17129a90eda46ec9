import { expect } from 'chai';
import { AssertionFailed } from '../../protocol/assert.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import {
  CacherRun,
  CONTENTS,
  dataFor,
  FILE,
  grantFor,
  N2,
  FIRST_CLIENT,
  N3,
  orderOf,
  writeOf,
} from './cacher_run.ts';

const freeze = (sequence: number, more: Partial<Message<'freeze'>> = {}): Message<'freeze'> => ({
  type: 'freeze',
  order: orderOf(sequence),
  file: FILE,
  term: 2,
  backup: true,
  newOwner: N3,
  forward: false,
  request: 0,
  report: false,
  ...more,
});

const types = (messages: readonly Message[]): string[] => messages.map((each) => each.type);

describe('the orders of the file server', () => {
  it('to forward make an owner "owned" and a sharer answer from its clean copy', () => {
    const run = new CacherRun();
    run.write('abc');
    run.server({ type: 'forward', order: orderOf(2), file: FILE, to: N3, request: 5 });
    const [data] = run.sent(N3);
    expect(data).to.include({ type: 'data', request: 5, source: 'peer' });
    expect(run.copy()).to.equal('owned');
  });

  it('to forward what is not here are answered so', () => {
    const run = new CacherRun();
    run.server({ type: 'forward', order: orderOf(2), file: FILE, to: N3, request: 5 });
    expect(types(run.sent())).to.deep.equal(['forwardFailed']);
  });

  it('to forward the copy of a backup are refused: it supplies others after promotion only', () => {
    const run = new CacherRun();
    run.read();
    const role = { term: 1, owner: N2, version: { term: 0, counter: 0 }, onDisk: true } as const;
    run.server({ type: 'prepareBackup', order: orderOf(2), file: FILE, ...role });
    run.take();
    run.server({ type: 'forward', order: orderOf(3), file: FILE, to: N3, request: 5 });
    expect(types(run.sent())).to.deep.equal(['forwardFailed']);
  });

  it('wait for the write that is on its way to the backup, and come before the next', () => {
    const run = new CacherRun();
    run.write('abc');
    run.application('app', writeOf(4, 'xyz'));
    run.application('app', writeOf(5, 'end'));
    run.take();
    run.server(freeze(2));
    expect(types(run.sent())).to.deep.equal([]);
    run.peer(N2, { type: 'backupAck', file: FILE, term: 1, version: { term: 1, counter: 2 } });
    const sent = run.sent();
    expect(types(sent)).to.deep.equal(['frozen', 'getModified']);
    expect(sent[0]).to.deep.include({ version: { term: 1, counter: 2 } });
    expect(run.copy()).to.equal('backup');
  });

  it('that come twice are answered twice and carried out once', () => {
    const run = new CacherRun();
    run.write('abc');
    for (let time = 0; time < 2; time++) run.server(freeze(2));
    expect(types(run.sent())).to.deep.equal(['frozen', 'frozen']);
    expect(run.cacher.files.get(FILE)?.term).to.equal(2);
    run.server({
      type: 'clean',
      order: orderOf(3),
      file: FILE,
      version: { term: 1, counter: 1 },
      copies: 2,
    });
    run.server({
      type: 'clean',
      order: orderOf(3),
      file: FILE,
      version: { term: 1, counter: 1 },
      copies: 2,
    });
    expect(types(run.sent())).to.deep.equal(['cleaned', 'cleaned']);
    expect(run.copy()).to.equal('shared');
  });

  it('to freeze without becoming backup keep the contents unreadable until the order to drop', () => {
    const run = new CacherRun();
    run.write('abc');
    run.server(freeze(2, { backup: false, newOwner: undefined, report: true }));
    const [frozen] = run.sent();
    expect(frozen?.type === 'frozen' && new TextDecoder().decode(frozen.bytes)).to.equal(
      'abctents',
    );
    expect(run.copy()).to.equal('frozen');
    expect(run.text()).to.equal('abctents');
    run.application('app', { type: 'read', request: 9, file: FILE, offset: 0, length: 3 });
    expect(types(run.replies())).to.deep.equal([]);
    run.server({ type: 'drop', order: orderOf(2), file: FILE, registration: FIRST_CLIENT });
    expect(run.text()).to.equal('');
  });

  it('to collect stop an owner until the file is clean; reads go on', () => {
    const run = new CacherRun();
    run.write('abc');
    run.server({ type: 'collect', order: orderOf(2), file: FILE });
    expect(types(run.sent())).to.deep.equal(['collected']);
    run.application('app', { type: 'read', request: 9, file: FILE, offset: 0, length: 3 });
    expect(types(run.replies())).to.deep.equal(['readDone']);
    run.application('app', writeOf(10, 'xyz'));
    expect(types(run.sent())).to.deep.equal(['getModified']);
    expect(run.text()).to.equal('abctents');
  });

  it('of an earlier life of the server are dropped', () => {
    const run = new CacherRun();
    run.read();
    const order = { epoch: 0, sequence: 99 };
    run.server({ type: 'invalidate', order, file: FILE, registration: FIRST_CLIENT });
    expect(run.sent()).to.deep.equal([]);
    expect(run.copy()).to.equal('shared');
  });

  it('for a file outside the volume are dropped', () => {
    const run = new CacherRun();
    const file = 20 as typeof FILE;
    run.server({ type: 'invalidate', order: orderOf(2), file, registration: FIRST_CLIENT });
    expect(run.sent()).to.deep.equal([]);
    expect(run.cacher.files.size).to.equal(0);
  });

  it('that no correct server gives stop the daemon', () => {
    const run = new CacherRun();
    run.read();
    expect(() => {
      run.server(freeze(2));
    }).to.throw(AssertionFailed, 'freeze when shared');
  });
});

describe('data and grants', () => {
  it('that nobody asked for change nothing', () => {
    const run = new CacherRun();
    run.peer('n9' as NodeId, dataFor(44));
    expect(types(run.sent())).to.deep.equal(['received']);
    run.server(grantFor(44));
    expect(run.copy()).to.equal('invalid');
    expect(run.sent()).to.deep.equal([
      { type: 'granted', order: orderOf(1), file: FILE, taken: false },
    ]);
  });

  it('that come twice are receipted twice', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', writeOf(3, 'abc'));
    const request = run.request('getModified');
    run.server(grantFor(request));
    expect(types(run.sent())).to.deep.equal(['granted']);
    run.server(grantFor(request));
    expect(types(run.sent())).to.deep.equal(['granted']);
    expect(run.cacher.files.get(FILE)?.version).to.deep.equal({ term: 1, counter: 1 });
  });

  it('are receipted with whether they are here: what was given up already is not installed again', () => {
    const run = new CacherRun();
    run.read();
    run.take();
    const held = (): boolean[] =>
      run.sent().flatMap((each) => (each.type === 'received' ? [each.held] : []));
    run.server(dataFor(1));
    expect(held()).to.deep.equal([true]);
    run.server({ type: 'invalidate', order: orderOf(2), file: FILE, registration: FIRST_CLIENT });
    run.server(dataFor(1, FILE, 3));
    expect(held()).to.deep.equal([false]);
  });

  it('do not keep the bytes of the message', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', { type: 'read', request: 2, file: FILE, offset: 0, length: 8 });
    const message = { ...dataFor(run.request('getShared')), bytes: CONTENTS.slice() };
    run.server(message);
    message.bytes.fill(0);
    expect(run.text()).to.equal('contents');
  });

  it('without a backup: the write goes to the server, and "no backup" is receipted', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', writeOf(3, 'abc'));
    const request = run.request('getModified');
    run.server({ type: 'noBackup', order: orderOf(1), file: FILE, request });
    const sent = run.sent();
    expect(types(sent)).to.deep.equal(['received', 'writeThrough']);
    expect(sent[1]).to.include({ keep: true, operation: 3 });
  });
});
