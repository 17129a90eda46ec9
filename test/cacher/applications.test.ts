import { expect } from 'chai';
import { APPLICATIONS_LIMIT, OPERATIONS_LIMIT, RELAYED_LIMIT } from '../../cacher/applications.ts';
import { handleApplicationClosed, handlePeerDown, handleStop } from '../../cacher/cacher_core.ts';
import { CLIENTS_PER_REGISTRATION } from '../../protocol/client_numbers.ts';
import { SERVER, type FileNumber } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { CacherRun, FILE, FIRST_CLIENT, writeOf } from './cacher_run.ts';

const codes = (messages: readonly Message[]): string[] =>
  messages.map((each) => (each.type === 'failed' ? each.code : each.type));

const ask = (run: CacherRun, message: Message): string[] => {
  run.application('app', message);
  return codes(run.replies());
};

const open = (file: number, mode: number): Message<'open'> => ({
  type: 'open',
  request: 1,
  file: file as FileNumber,
  mode,
});

const read = (offset: number, length: number, file = FILE): Message<'read'> => ({
  type: 'read',
  request: 2,
  file,
  offset,
  length,
});

describe('applications of a cacher', () => {
  it('opens the first and the last file of the volume, and no other', () => {
    const run = new CacherRun();
    expect(ask(run, open(0, 0))).to.deep.equal(['opened']);
    expect(ask(run, open(19, 1))).to.deep.equal(['opened']);
    expect(ask(run, open(20, 0))).to.deep.equal(['ENOENT']);
    expect(ask(run, open(2 ** 32 - 1, 0))).to.deep.equal(['ENOENT']);
  });

  it('takes modes 0 and 1 and answers EINVAL to all others', () => {
    const run = new CacherRun();
    expect(ask(run, open(1, 2))).to.deep.equal(['EINVAL']);
    expect(ask(run, open(1, 0))).to.deep.equal(['opened']);
  });

  it('refuses to open a file twice on one connection, until it is closed', () => {
    const run = new CacherRun();
    expect(ask(run, open(1, 0))).to.deep.equal(['opened']);
    expect(ask(run, open(1, 1))).to.deep.equal(['EBUSY']);
    const close = { type: 'close', request: 3, file: 1 as FileNumber } as const;
    expect(ask(run, close)).to.deep.equal(['closed']);
    expect(ask(run, open(1, 1))).to.deep.equal(['opened']);
  });

  it('answers EBADF to a write in mode 0 and to any call on a file that is not open', () => {
    const run = new CacherRun();
    expect(ask(run, read(0, 1))).to.deep.equal(['EBADF']);
    expect(ask(run, writeOf(4, 'a'))).to.deep.equal(['EBADF']);
    expect(ask(run, { type: 'close', request: 5, file: FILE })).to.deep.equal(['EBADF']);
    run.open(FILE, 0);
    expect(ask(run, writeOf(4, 'a'))).to.deep.equal(['EBADF']);
  });

  it('reads nothing at the end, and asks nobody for it', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', read(8, 1));
    const [answer] = run.replies();
    expect(answer?.type === 'readDone' && answer.bytes.length).to.equal(0);
    expect(run.cacher.files.get(FILE)).to.equal(undefined);
  });

  it('answers EFBIG to a write that fits nothing, and cuts one that reaches over the end', () => {
    const run = new CacherRun();
    run.open();
    expect(ask(run, { ...writeOf(4, 'a'), offset: 8 })).to.deep.equal(['EFBIG']);
    expect(ask(run, { ...writeOf(5, ''), offset: 8 })).to.deep.equal(['writeDone']);
    run.application('app', { ...writeOf(6, 'abc'), offset: 7 });
    expect(run.cacher.files.get(FILE)?.operations[0]?.bytes.length).to.equal(1);
  });

  it('copies the bytes of a write', () => {
    const run = new CacherRun();
    run.open();
    const message = writeOf(4, 'abc');
    run.application('app', message);
    message.bytes.fill(0);
    const kept = run.cacher.files.get(FILE)?.operations[0]?.bytes;
    expect(new TextDecoder().decode(kept)).to.equal('abc');
  });

  it('wants hello first, and answers EPROTO to what is no request', () => {
    const run = new CacherRun();
    run.application('stranger', open(1, 0));
    expect(codes(run.replies('stranger'))).to.deep.equal(['EPROTO']);
    expect(ask(run, { type: 'leave' })).to.deep.equal(['EPROTO']);
  });

  it('has room for a limited number of applications', () => {
    const run = new CacherRun();
    for (let count = 1; count < APPLICATIONS_LIMIT; count++) {
      run.application(`app${count}`, { type: 'hello', protocol: 1 });
    }
    expect(codes(run.replies(`app${APPLICATIONS_LIMIT - 1}`))).to.deep.equal(['welcome']);
    run.application('late', { type: 'hello', protocol: 1 });
    expect(codes(run.replies('late'))).to.deep.equal(['EBUSY']);
    handleApplicationClosed(run.cacher, 'app1', 0);
    run.application('late', { type: 'hello', protocol: 1 });
    expect(codes(run.replies('late'))).to.deep.equal(['welcome']);
  });

  it('gives no number twice: a registration has a limited range of them', () => {
    const run = new CacherRun();
    run.cacher.nextClient = CLIENTS_PER_REGISTRATION - 1;
    run.application('last', { type: 'hello', protocol: 1 });
    expect(run.cacher.applications.get('last')?.client).to.equal(
      FIRST_CLIENT + CLIENTS_PER_REGISTRATION - 1,
    );
    run.take();
    run.application('late', { type: 'hello', protocol: 1 });
    expect(codes(run.replies('late'))).to.deep.equal(['EBUSY']);
  });

  it('gives every application its own client number', () => {
    const run = new CacherRun();
    run.application('other', { type: 'hello', protocol: 1 });
    const clients = [...run.cacher.applications.values()].map(({ client }) => client);
    expect(new Set(clients).size).to.equal(2);
  });

  it('lets a limited number of operations on a file wait', () => {
    const run = new CacherRun();
    run.open();
    for (let count = 0; count < OPERATIONS_LIMIT; count++) run.application('app', read(0, 1));
    expect(run.cacher.files.get(FILE)?.operations.length).to.equal(OPERATIONS_LIMIT);
    expect(codes(run.replies())).to.deep.equal([]);
    expect(ask(run, read(0, 1))).to.deep.equal(['EBUSY']);
  });

  it('takes nothing new while it stops', () => {
    const run = new CacherRun();
    run.open();
    handleStop(run.cacher, 0);
    expect(ask(run, read(0, 1))).to.deep.equal(['ESHUTDOWN']);
    expect(ask(run, open(1, 0))).to.deep.equal(['ESHUTDOWN']);
  });

  it('forgets what an application that has gone was waiting for', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', read(0, 1));
    handleApplicationClosed(run.cacher, 'app', 0);
    expect(run.cacher.files.get(FILE)?.operations).to.deep.equal([]);
    expect(run.cacher.applications.size).to.equal(0);
  });

  it('asks the server before it opens for writing under the policies "wait" and "fail"', () => {
    const run = new CacherRun({ openPolicy: 'fail' });
    run.application('app', open(1, 1));
    const request = run.request('openWriter');
    run.server({ type: 'failed', request, code: 'EBUSY', message: 'open elsewhere' });
    expect(codes(run.replies())).to.deep.equal(['EBUSY']);
    run.application('app', open(1, 1));
    run.server({ type: 'writerOpened', request: run.request('openWriter') });
    expect(codes(run.replies())).to.deep.equal(['opened']);
    handleApplicationClosed(run.cacher, 'app', 0);
    expect(codes(run.sent())).to.deep.equal(['closeWriter']);
  });

  it('refuses what it would have to ask of a server that is away when too much waits for that already', () => {
    const run = new CacherRun({ openPolicy: 'fail' });
    handlePeerDown(run.cacher, SERVER, 0);
    // Each leaves a closing behind, which the server must hear.
    for (let count = 0; count < RELAYED_LIMIT; count++) {
      run.application('app', open(FILE, 1));
      run.application('app', { type: 'close', request: 1, file: FILE });
    }
    run.take();
    run.application('app', open(FILE, 1));
    expect(codes(run.replies())).to.deep.equal(['EBUSY']);
    expect(run.cacher.relayed.size).to.equal(RELAYED_LIMIT);
    expect(run.cacher.applications.get('app')?.files.size).to.equal(0);
  });
});
