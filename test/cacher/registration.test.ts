import { expect } from 'chai';
import {
  handleMessage,
  handlePeerDown,
  handlePeerUp,
  handleStop,
  handleTimeout,
  newCacher,
  pollCommand,
  unsavedFiles,
} from '../../cacher/cacher_core.ts';
import type { Cacher, CacherCommand } from '../../cacher/cacher_state.ts';
import { REFUSED_RETRY_MS, RETRY_MS } from '../../cacher/registration.ts';
import { SERVER, type FileNumber } from '../../protocol/ids.ts';
import { CANDIDATES_LIMIT, type Message } from '../../protocol/messages.ts';
import { STOP_LIMIT_MS } from '../../protocol/stopping.ts';
import {
  anew,
  CacherRun,
  dataFor,
  EPOCH,
  FILE,
  FIRST_CLIENT,
  orderOf,
  welcome,
  writeOf,
} from './cacher_run.ts';

const REFUSAL = { type: 'registrationRefused', code: 'EBUSY', message: 'taken' } as const;

const types = (messages: readonly Message[]): string[] => messages.map((each) => each.type);

function* iterate(cacher: Cacher): Iterable<CacherCommand> {
  for (let next = pollCommand(cacher); next; next = pollCommand(cacher)) yield next;
}

/** The link is a new one; the same registration goes on, or another one has begun. */
const rejoin = (run: CacherRun, answer?: Partial<Message<'registered'>>): void => {
  handlePeerDown(run.cacher, SERVER, run.now);
  handlePeerUp(run.cacher, SERVER, run.now);
  run.server(answer === undefined ? { ...welcome(), attempt: 2 } : { ...anew(), ...answer });
};

describe('the registration of a cacher', () => {
  it('is made whenever the link comes up; what is open is asked again under its number', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', writeOf(3, 'abc'));
    const request = run.request('getModified');
    rejoin(run);
    const sent = run.sent();
    expect(types(sent)).to.deep.equal(['register', 'getModified']);
    expect(sent[1]).to.include({ request });
  });

  it('asks nothing before it is admitted', () => {
    const run = new CacherRun();
    handlePeerDown(run.cacher, SERVER, 0);
    handlePeerUp(run.cacher, SERVER, 0);
    run.open();
    run.application('app', writeOf(3, 'abc'));
    expect(types(run.sent())).to.not.include('getModified');
    run.server({ ...welcome(), attempt: 2 });
    expect(types(run.sent())).to.deep.equal(['getModified']);
  });

  it('says what is held, clean copies last: there may be more than it can say', () => {
    const run = new CacherRun();
    run.read(1 as FileNumber);
    run.write('abc', FILE, 2);
    handlePeerDown(run.cacher, SERVER, run.now);
    handlePeerUp(run.cacher, SERVER, run.now);
    const [register] = run.sent();
    expect(register?.type === 'register' && register.holdings).to.deep.equal([
      { file: FILE, kind: 'dirty', term: 1, version: { term: 1, counter: 1 } },
      { file: 1, kind: 'clean', term: 0, version: { term: 0, counter: 0 } },
    ]);
  });

  it('keeps of an earlier one what the server says, dirty contents unserved', () => {
    const run = new CacherRun({ pages: 3 });
    run.read(1 as FileNumber);
    run.read(2 as FileNumber, 2);
    run.write('abc', FILE, 3);
    rejoin(run, { epoch: EPOCH + 1, kept: [1 as FileNumber], wanted: [FILE], firstSequence: 9 });
    expect(run.copy(1 as FileNumber)).to.equal('shared');
    expect(run.copy(2 as FileNumber)).to.equal('invalid');
    expect(run.copy()).to.equal('frozen');
    expect(run.cacher.freePages).to.equal(1);
    run.take();
    run.application('app', { type: 'read', request: 9, file: FILE, offset: 0, length: 3 });
    expect(run.replies()).to.deep.equal([]);
  });

  it('drops dirty contents that nobody wants; a write on its way then has no known outcome', () => {
    const run = new CacherRun();
    run.write('abc');
    run.application('app', writeOf(4, 'xyz'));
    rejoin(run, { epoch: EPOCH + 1, wanted: [] });
    expect(run.copy()).to.equal('invalid');
    expect(run.cacher.freePages).to.equal(2);
    expect(run.replies()[0]).to.include({ type: 'failed', request: 4, code: 'ETIMEDOUT' });
  });

  it('makes data void that was ordered before it', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', { type: 'read', request: 2, file: FILE, offset: 0, length: 8 });
    const request = run.request('getShared');
    rejoin(run, { firstSequence: 5 });
    run.server(dataFor(request, FILE, 4));
    expect(run.copy()).to.equal('invalid');
    run.server(dataFor(request, FILE, 5));
    expect(run.copy()).to.equal('shared');
  });

  it('drops orders that overtake its answer', () => {
    const run = new CacherRun();
    run.read();
    handlePeerDown(run.cacher, SERVER, run.now);
    handlePeerUp(run.cacher, SERVER, run.now);
    run.server({ type: 'invalidate', order: orderOf(2), file: FILE, registration: FIRST_CLIENT });
    expect(types(run.sent())).to.not.include('invalidated');
    expect(run.copy()).to.equal('shared');
  });

  it('takes no answer to an earlier time of asking: its copies may be stale by now', () => {
    const run = new CacherRun();
    run.read();
    handlePeerDown(run.cacher, SERVER, run.now);
    handlePeerUp(run.cacher, SERVER, run.now);
    run.server({ ...anew(), attempt: 1, kept: [FILE] });
    expect(run.cacher.admitted).to.equal(false);
    run.server({ ...anew(), kept: [] });
    expect(run.copy()).to.equal('invalid');
  });

  it('is another one if its numbers are, whoever has heard of the last', () => {
    const run = new CacherRun();
    run.read();
    rejoin(run, { kept: [] });
    expect(run.copy()).to.equal('invalid');
    expect(run.cacher.registration?.firstClient).to.equal(anew().firstClient);
  });

  it('keeps clean copies over a broken link of the same server', () => {
    const run = new CacherRun();
    run.read();
    rejoin(run);
    expect(run.copy()).to.equal('shared');
  });

  it('tells its shell when the first one is refused, and asks no more', () => {
    const options = { ...new CacherRun().cacher.options };
    const cacher = newCacher(options, 0);
    handlePeerUp(cacher, SERVER, 0);
    handleMessage(cacher, SERVER, REFUSAL, 0);
    const commands = [...iterate(cacher)];
    expect(commands).to.deep.include({ do: 'refused', code: 'EBUSY', text: 'taken' });
    handleTimeout(cacher, 10 * REFUSED_RETRY_MS);
    expect([...iterate(cacher)]).to.deep.equal([]);
  });

  it('of a member that is refused is asked for again, with all it holds, and not at once', () => {
    const run = new CacherRun();
    run.write('abc');
    run.server({ type: 'expelled', registration: FIRST_CLIENT, attempt: 1 });
    run.take();
    run.server(REFUSAL);
    const commands = run.take();
    expect(commands.map((each) => each.do)).to.deep.equal(['log']);
    expect(commands[0]).to.have.property('text').that.contains('EBUSY: taken');
    handleTimeout(run.cacher, REFUSED_RETRY_MS - 1);
    expect(run.sent()).to.deep.equal([]);
    handleTimeout(run.cacher, REFUSED_RETRY_MS + 100);
    const [register] = run.sent();
    expect(register).to.include({ type: 'register', attempt: 3 });
    expect(register?.type === 'register' && register.holdings.length).to.equal(1);
    // It may be lost on the way, and is repeated like any other.
    handleTimeout(run.cacher, REFUSED_RETRY_MS + 200);
    expect(types(run.sent())).to.deep.equal(['register']);
    run.server({ ...anew(), attempt: 3, wanted: [FILE] });
    expect(run.copy()).to.equal('frozen');
  });

  it('of a member that is refused is asked for again at once over a new link', () => {
    const run = new CacherRun();
    run.server({ type: 'expelled', registration: FIRST_CLIENT, attempt: 1 });
    run.server(REFUSAL);
    run.take();
    rejoin(run, { attempt: 3 });
    expect(types(run.sent())).to.deep.equal(['register']);
    expect(run.cacher.admitted).to.equal(true);
  });
});

describe('the timers of a cacher', () => {
  it('repeat a request that is not answered in time, not before', () => {
    const run = new CacherRun();
    run.open();
    run.application('app', writeOf(3, 'abc'));
    run.take();
    handleTimeout(run.cacher, RETRY_MS - 1);
    expect(types(run.sent())).to.deep.equal([]);
    handleTimeout(run.cacher, RETRY_MS + 100);
    expect(types(run.sent())).to.deep.equal(['getModified']);
  });

  it('write a dirty file back after the interval, once', () => {
    const run = new CacherRun();
    run.write('abc');
    handleTimeout(run.cacher, 29_900);
    expect(types(run.sent())).to.deep.equal([]);
    handleTimeout(run.cacher, 30_000);
    handleTimeout(run.cacher, 30_100);
    expect(types(run.sent())).to.deep.equal(['writeBack']);
  });

  it('ask for the copy counts of no more files than a heartbeat may name', () => {
    const run = new CacherRun({ pages: 17 });
    for (let file = 0; file < CANDIDATES_LIMIT + 1; file++) run.read(file as FileNumber, file + 1);
    handleTimeout(run.cacher, 100);
    const beat = run
      .take()
      .flatMap((each) => (each.do === 'send' ? [each.message] : []))
      .find((message) => message.type === 'heartbeat');
    expect(beat?.candidates.length).to.equal(CANDIDATES_LIMIT);
    expect(beat?.freePages).to.equal(0);
  });
});

describe('an orderly stop of a cacher', () => {
  it('leaves when its operations are done, and stops when it is let go', () => {
    const run = new CacherRun();
    run.write('abc');
    run.application('app', writeOf(4, 'xyz'));
    run.take();
    handleStop(run.cacher, 0);
    expect(types(run.sent())).to.deep.equal([]);
    const version = { term: 1, counter: 2 };
    run.peer('n2' as typeof run.cacher.options.node, {
      type: 'backupAck',
      file: FILE,
      term: 1,
      version,
    });
    expect(types(run.sent())).to.deep.equal(['leave']);
    run.server({ type: 'left' });
    expect(run.take()).to.deep.include({ do: 'stop', complete: true });
  });

  it('goes after its time is up, whatever is left', () => {
    const run = new CacherRun();
    run.write('abc');
    handleStop(run.cacher, 0);
    handleTimeout(run.cacher, STOP_LIMIT_MS - 1);
    expect(run.take().map((each) => each.do)).to.not.include('stop');
    handleTimeout(run.cacher, STOP_LIMIT_MS);
    expect(run.take()).to.deep.include({ do: 'stop', complete: false });
    expect(unsavedFiles(run.cacher)).to.deep.equal([FILE]);
  });

  it('takes no new role while it stops', () => {
    const run = new CacherRun();
    handleStop(run.cacher, 0);
    run.take();
    const role = { term: 1, owner: 'n2' as typeof run.cacher.options.node } as const;
    const order = { epoch: EPOCH, sequence: 1 };
    const version = { term: 0, counter: 0 };
    run.server({ type: 'prepareBackup', order, file: FILE, ...role, version, onDisk: true });
    expect(run.sent()[0]).to.include({ type: 'backupPrepared', full: true });
  });
});
