import { expect } from 'chai';
import { BACKUP_RESEND_MS } from '../../cacher/backup_writes.ts';
import { handleTimeout } from '../../cacher/cacher_core.ts';
import { OUTCOMES_KEPT } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { CacherRun, FILE, N2, N3, orderOf, writeOf } from './cacher_run.ts';

const FIRST = { term: 0, counter: 0 };
const version = (counter: number): { term: number; counter: number } => ({ term: 1, counter });

/** A cacher that has agreed to be the backup of n2. */
const prepared = (): CacherRun => {
  const run = new CacherRun();
  const role = { term: 1, owner: N2, version: FIRST, onDisk: true } as const;
  run.server({ type: 'prepareBackup', order: orderOf(1), file: FILE, ...role });
  run.take();
  return run;
};

const backupWrite = (more: Partial<Message<'backupWrite'>>): Message<'backupWrite'> => ({
  type: 'backupWrite',
  file: FILE,
  term: 1,
  whole: true,
  base: FIRST,
  version: version(1),
  offset: 0,
  bytes: new TextEncoder().encode('contents'),
  outcomes: [],
  ...more,
});

const answer = (run: CacherRun, message: Message<'backupWrite'>, from = N2): unknown => {
  run.peer(from, message);
  const [first] = run.sent(from);
  return first?.type === 'backupRefused' ? first.reason : first?.type;
};

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a backup', () => {
  it('takes the whole file, then deltas on what it has', () => {
    const run = prepared();
    expect(answer(run, backupWrite({}))).to.equal('backupAck');
    expect(run.copy()).to.equal('backup');
    const delta = { whole: false, base: version(1), version: version(2), offset: 6 };
    expect(answer(run, backupWrite({ ...delta, bytes: bytesOf('!!') }))).to.equal('backupAck');
    expect(run.text()).to.equal('conten!!');
  });

  it('refuses a delta on another version than it has, and one on nothing', () => {
    const run = prepared();
    const delta = { whole: false, base: version(2), version: version(3), bytes: bytesOf('x') };
    expect(answer(run, backupWrite(delta))).to.equal('base');
    expect(run.copy()).to.equal('reserved');
    answer(run, backupWrite({}));
    expect(answer(run, backupWrite(delta))).to.equal('base');
    expect(run.text()).to.equal('contents');
  });

  it('acknowledges again what it has, and does not go back', () => {
    const run = prepared();
    answer(run, backupWrite({ version: version(2) }));
    const old = backupWrite({ version: version(1), bytes: bytesOf('obsolete') });
    expect(answer(run, old)).to.equal('backupAck');
    expect(run.text()).to.equal('contents');
  });

  it('answers "not-yet" to a term that it does not know, and "stale" to one that is over', () => {
    const run = prepared();
    expect(answer(run, backupWrite({ term: 2 }))).to.equal('not-yet');
    expect(answer(run, backupWrite({ term: 0 }))).to.equal('stale');
    expect(run.copy()).to.equal('reserved');
  });

  it('takes writes from the owner alone', () => {
    const run = prepared();
    expect(answer(run, backupWrite({}), N3)).to.equal('stale');
    expect(run.copy()).to.equal('reserved');
  });

  it('takes none that reaches over the end of the file, nor a whole one of another size', () => {
    const run = prepared();
    expect(answer(run, backupWrite({ bytes: bytesOf('contents+') }))).to.equal(undefined);
    expect(answer(run, backupWrite({ bytes: bytesOf('content') }))).to.equal(undefined);
    answer(run, backupWrite({}));
    const delta = { whole: false, base: version(1), version: version(2), offset: 7 };
    expect(answer(run, backupWrite({ ...delta, bytes: bytesOf('ab') }))).to.equal(undefined);
    expect(answer(run, backupWrite({ ...delta, bytes: bytesOf('a') }))).to.equal('backupAck');
  });
});

describe('an owner', () => {
  it('sends the whole file after a refusal, and again by the timer until it is acknowledged', () => {
    const run = new CacherRun();
    run.write('abc');
    run.application('app', writeOf(4, 'xyz'));
    expect(run.sent(N2)[0]).to.deep.include({ whole: false, base: version(1) });
    const refusal = { type: 'backupRefused', file: FILE, term: 1, version: FIRST } as const;
    run.peer(N2, { ...refusal, reason: 'base' });
    expect(run.sent(N2)[0]).to.deep.include({ whole: true, version: version(2) });
    run.now = BACKUP_RESEND_MS - 1;
    handleTimeout(run.cacher, run.now);
    expect(run.sent(N2)).to.deep.equal([]);
    run.now += 100;
    handleTimeout(run.cacher, run.now);
    expect(run.sent(N2)[0]).to.deep.include({ type: 'backupWrite', whole: true });
  });

  it('counts an acknowledgement only of its backup, its term and its pending version', () => {
    const run = new CacherRun();
    run.write('abc');
    run.application('app', writeOf(4, 'xyz'));
    run.take();
    const ack = { type: 'backupAck', file: FILE, term: 1, version: version(2) } as const;
    run.peer(N3, ack);
    run.peer(N2, { ...ack, term: 2 });
    run.peer(N2, { ...ack, version: version(1) });
    expect(run.replies()).to.deep.equal([]);
    run.peer(N2, ack);
    expect(run.replies()[0]).to.include({ type: 'writeDone', count: 3, copies: 2 });
  });

  it('keeps the newest outcomes, as many as travel with a file', () => {
    const run = new CacherRun();
    run.write('abc');
    for (let count = 2; count <= OUTCOMES_KEPT + 1; count++) {
      run.application('app', writeOf(count + 10, 'x'));
      run.peer(N2, { type: 'backupAck', file: FILE, term: 1, version: version(count) });
    }
    const outcomes = run.cacher.files.get(FILE)?.outcomes ?? [];
    expect(outcomes.length).to.equal(OUTCOMES_KEPT);
    expect(outcomes.map(({ operation }) => operation)).to.include(OUTCOMES_KEPT + 11);
    expect(outcomes.map(({ operation }) => operation)).to.not.include(3);
  });
});
