import { expect } from 'chai';
import { handleTimeout } from '../../cacher/cacher_core.ts';
import type { FileNumber } from '../../protocol/ids.ts';
import { FILES_LIMIT, type Message } from '../../protocol/messages.ts';
import { CacherRun, dataFor, FILE, FIRST_CLIENT, N2, orderOf } from './cacher_run.ts';

const file = (number: number): FileNumber => number as FileNumber;

const readOf = (number: number): Message<'read'> => ({
  type: 'read',
  request: 9,
  file: file(number),
  offset: 0,
  length: 8,
});

const startRead = (run: CacherRun, number: number): string[] => {
  run.open(file(number));
  run.application('app', readOf(number));
  return run.sent().map((each) => each.type);
};

describe('the pages of a cacher', () => {
  it('are reserved before a file is asked for, and given back when nothing comes', () => {
    const run = new CacherRun({ pages: 2 });
    run.open();
    run.application('app', readOf(7));
    expect(run.cacher.freePages).to.equal(1);
    const request = run.request('getShared');
    run.server({ type: 'failed', request, code: 'EIO', message: 'a bad block' });
    expect(run.cacher.freePages).to.equal(2);
    expect(run.cacher.files.has(FILE)).to.equal(false);
  });

  it('are for no more files than a node can report when it registers, however many there are', () => {
    const run = new CacherRun({ pages: FILES_LIMIT + 1 });
    run.cacher.freePages = 2;
    expect(startRead(run, 1)).to.deep.equal(['getShared']);
    // All that it has is in use, and there is one page more.
    expect(run.cacher.freePages).to.equal(1);
    expect(startRead(run, 2)).to.deep.equal(['readThrough']);
    handleTimeout(run.cacher, 100);
    const beat = run
      .take()
      .flatMap((each) => (each.do === 'send' ? [each.message] : []))
      .find((message) => message.type === 'heartbeat');
    expect(beat?.freePages).to.equal(0);
  });

  it('of a clean file that others hold go without a question', () => {
    const run = new CacherRun({ pages: 2 });
    run.read(file(1), 1);
    run.read(file(2), 2);
    expect(run.cacher.freePages).to.equal(0);
    run.server({ type: 'heartbeatAck', sequence: 0, hints: [{ file: file(2), copies: 2 }] });
    expect(startRead(run, 3)).to.deep.equal(['evicted', 'getShared']);
    expect(run.copy(file(2))).to.equal('invalid');
    expect(run.copy(file(1))).to.equal('shared');
    expect(run.cacher.counters.evictionsClean).to.equal(1);
  });

  it('of a last copy are freed by moving it, or when nobody has room for it', () => {
    const run = new CacherRun({ pages: 1 });
    run.read(file(1));
    expect(startRead(run, 2)).to.deep.equal(['recirculate']);
    const request = run.cacher.files.get(file(1))?.want?.message.request ?? 0;
    run.server({ type: 'recirculateRefused', request, file: file(1) });
    expect(run.sent().map((each) => each.type)).to.deep.equal(['evicted', 'getShared']);
    expect(run.cacher.counters.recirculated).to.equal(0);
  });

  it('count a last copy that moved as recirculated when the order to drop it comes', () => {
    const run = new CacherRun({ pages: 1 });
    run.read(file(1));
    startRead(run, 2);
    run.server({ type: 'forward', order: orderOf(2), file: file(1), to: N2, request: 0 });
    expect(run.copy(file(1))).to.equal('shared');
    run.server({ type: 'drop', order: orderOf(2), file: file(1), registration: FIRST_CLIENT });
    expect(run.copy(file(1))).to.equal('invalid');
    expect(run.cacher.counters.recirculated).to.equal(1);
    expect(run.sent().map((each) => each.type)).to.deep.equal(['dropped', 'getShared']);
  });

  it('of a last copy are freed at once after two moves without use', () => {
    const run = new CacherRun({ pages: 1 });
    const expectIt = { order: orderOf(1), file: file(1), from: N2 } as const;
    run.server({ type: 'expect', ...expectIt, chances: 1 });
    run.peer(N2, dataFor(0, file(1), 1));
    run.take();
    expect(run.copy(file(1))).to.equal('shared');
    expect(startRead(run, 2)).to.deep.equal(['evicted', 'getShared']);
  });

  it('of a dirty file are freed by writing it back first', () => {
    const run = new CacherRun({ pages: 1 });
    run.write('abc', file(1));
    expect(startRead(run, 2)).to.deep.equal(['writeBack']);
    expect(run.cacher.counters.evictionsWrittenBack).to.equal(1);
    expect(run.copy(file(1))).to.equal('modified');
  });

  it('are waited for in turn, and whoever finds none goes through the server', () => {
    const run = new CacherRun({ pages: 1 });
    expect(startRead(run, 1)).to.deep.equal(['getShared']);
    // The only page belongs to a file that is on its way here.
    expect(startRead(run, 2)).to.deep.equal(['readThrough']);
  });

  it('do not exist for a file that is larger than the memory', () => {
    const run = new CacherRun({ pages: 0 });
    expect(startRead(run, 1)).to.deep.equal(['readThrough']);
    expect(run.cacher.freePages).to.equal(0);
  });

  it('hold exactly as many files as there is room for', () => {
    const run = new CacherRun({ pages: 3 });
    for (const number of [1, 2, 3]) run.read(file(number), number);
    expect(run.cacher.freePages).to.equal(0);
    expect([1, 2, 3].map((number) => run.copy(file(number)))).to.deep.equal([
      'shared',
      'shared',
      'shared',
    ]);
  });

  it('of last copies are given to a backup, but not to another last copy', () => {
    const run = new CacherRun({ pages: 1 });
    run.read(file(1));
    run.server({ type: 'expect', order: orderOf(2), file: file(2), from: N2, chances: 0 });
    const [refusal] = run.sent();
    expect(refusal).to.include({ type: 'expected', accepted: false });
    const role = { term: 1, owner: N2, version: { term: 0, counter: 0 }, onDisk: true } as const;
    run.server({ type: 'prepareBackup', order: orderOf(3), file: file(3), ...role });
    const sent = run.sent();
    expect(sent.map((each) => each.type)).to.deep.equal(['evicted', 'backupPrepared']);
    expect(sent[1]).to.include({ full: false, holds: false });
    expect(run.copy(file(3))).to.equal('reserved');
  });
});
