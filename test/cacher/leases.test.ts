import { expect } from 'chai';
import { FOREVER_MS } from '../../cli/option_values.ts';
import { handlePeerDown, handlePeerUp, handleTimeout } from '../../cacher/cacher_core.ts';
import { SERVER } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import {
  anew,
  CacherRun,
  FILE,
  FIRST_CLIENT,
  N2,
  orderOf,
  welcome,
  writeOf,
} from './cacher_run.ts';

const LEASE_MS = 400;
const BEAT_MS = 100;
const FIRST = { term: 0, counter: 0 };

const types = (messages: readonly Message[]): string[] => messages.map((each) => each.type);

const read = (run: CacherRun, request: number): void => {
  run.application('app', { type: 'read', request, file: FILE, offset: 0, length: 8 });
};

/** A cacher with a clean copy; `now` moves with the call. */
const holder = (): CacherRun => {
  const run = new CacherRun({ leaseMs: LEASE_MS });
  run.read();
  return run;
};

const acknowledge = (run: CacherRun, sequence: number): void => {
  run.server({ type: 'heartbeatAck', sequence, hints: [] });
};

describe('the lease of a cacher', () => {
  it('ends by itself: reads are served one millisecond before, and wait from then on', () => {
    const run = holder();
    run.now = LEASE_MS - 1;
    read(run, 8);
    expect(types(run.replies())).to.deep.equal(['readDone']);
    run.now = LEASE_MS;
    read(run, 9);
    expect(run.replies()).to.deep.equal([]);
  });

  it('counts from the moment its heartbeat was sent, not from the answer', () => {
    const run = holder();
    run.now = BEAT_MS;
    handleTimeout(run.cacher, run.now);
    run.now = LEASE_MS - 1;
    // The first heartbeat goes with the registration.
    acknowledge(run, 1);
    run.take();
    run.now = BEAT_MS + LEASE_MS - 1;
    read(run, 8);
    expect(types(run.replies())).to.deep.equal(['readDone']);
    run.now = BEAT_MS + LEASE_MS;
    read(run, 9);
    expect(run.replies()).to.deep.equal([]);
  });

  it('serves what waited as soon as it is renewed', () => {
    const run = holder();
    run.now = LEASE_MS;
    read(run, 9);
    handleTimeout(run.cacher, run.now);
    run.take();
    acknowledge(run, 1);
    expect(types(run.replies())).to.deep.equal(['readDone']);
  });

  it('is not renewed by an answer to what was never sent, or twice by one', () => {
    const run = holder();
    acknowledge(run, 77);
    expect(run.cacher.leaseUntilMs).to.equal(LEASE_MS);
    run.now = BEAT_MS;
    handleTimeout(run.cacher, run.now);
    acknowledge(run, 1);
    const until = run.cacher.leaseUntilMs;
    run.now += BEAT_MS;
    acknowledge(run, 1);
    expect(run.cacher.leaseUntilMs).to.equal(until);
  });

  it('is echoed: the server sees that its answers arrive', () => {
    const run = holder();
    run.now = BEAT_MS;
    handleTimeout(run.cacher, run.now);
    acknowledge(run, 1);
    run.take();
    run.now = 2 * BEAT_MS;
    handleTimeout(run.cacher, run.now);
    const beat = run
      .take()
      .flatMap((each) => (each.do === 'send' ? [each.message] : []))
      .find((message) => message.type === 'heartbeat');
    expect(beat).to.include({ sequence: 2, echo: 1 });
  });

  it('is needed to acknowledge as backup', () => {
    const run = new CacherRun({ leaseMs: LEASE_MS });
    const role = { term: 1, owner: N2, version: FIRST, onDisk: true } as const;
    run.server({ type: 'prepareBackup', order: orderOf(1), file: FILE, ...role });
    run.take();
    const write = {
      type: 'backupWrite',
      file: FILE,
      term: 1,
      whole: true,
      base: FIRST,
      version: { term: 1, counter: 1 },
      offset: 0,
      bytes: new TextEncoder().encode('contents'),
      outcomes: [],
    } as const;
    run.now = LEASE_MS;
    run.peer(N2, write);
    expect(run.sent(N2)).to.deep.include({
      type: 'backupRefused',
      file: FILE,
      term: 1,
      version: FIRST,
      reason: 'not-yet',
    });
    run.now = LEASE_MS - 1;
    run.peer(N2, write);
    expect(types(run.sent(N2))).to.deep.equal(['backupAck']);
  });

  it('counts from the first time of asking, when a registration is asked for again', () => {
    const run = holder();
    handlePeerDown(run.cacher, SERVER, run.now);
    run.now = 1000;
    handlePeerUp(run.cacher, SERVER, run.now);
    run.now = 1300;
    handleTimeout(run.cacher, run.now);
    run.server({ ...welcome('share', LEASE_MS), attempt: 2 });
    expect(run.cacher.leaseUntilMs).to.equal(1000 + LEASE_MS);
  });
});

describe('a cacher that was given up', () => {
  it('takes no word of an earlier registration for that', () => {
    const run = holder();
    run.server({ type: 'expelled', registration: FIRST_CLIENT - 1, attempt: 1 });
    expect(types(run.sent())).to.deep.equal([]);
    expect(run.cacher.admitted).to.equal(true);
  });

  it('registers again at once, and serves nothing until it is admitted', () => {
    const run = holder();
    run.server({ type: 'expelled', registration: FIRST_CLIENT, attempt: 1 });
    expect(types(run.sent())).to.deep.equal(['register']);
    read(run, 9);
    expect(run.replies()).to.deep.equal([]);
    run.server({ ...anew('share', LEASE_MS), kept: [FILE], firstSequence: 5 });
    expect(types(run.replies())).to.deep.equal(['readDone']);
  });
});

describe('a cacher whose registration was over before it heard of it', () => {
  it('asks anew, since the answer to its last asking never comes any more', () => {
    const run = holder();
    const unheard = { type: 'expelled', registration: 2 * FIRST_CLIENT } as const;
    run.server({ type: 'expelled', registration: FIRST_CLIENT, attempt: 1 });
    run.take();
    // Of an earlier asking, and in answer to a heartbeat from before: a later one is under way already.
    run.server({ ...unheard, attempt: 1 });
    run.server({ ...unheard, attempt: 0 });
    expect(run.sent()).to.deep.equal([]);
    run.server({ ...unheard, attempt: 2 });
    run.server({ ...unheard, attempt: 2 });
    const sent = run.sent();
    expect(types(sent)).to.deep.equal(['register']);
    expect(sent[0]).to.include({ attempt: 3 });
  });
});

describe('an operation that waits for the cluster', () => {
  it('fails with ETIMEDOUT when its time is up, not before', () => {
    const repliesAt = (now: number): Message[] => {
      const run = new CacherRun({ serverWaitMs: 1000 });
      run.open();
      run.now = 50;
      read(run, 9);
      run.take();
      handleTimeout(run.cacher, now);
      return run.replies();
    };
    expect(repliesAt(1049)).to.deep.equal([]);
    const [answer] = repliesAt(1050);
    expect(answer).to.include({ type: 'failed', request: 9, code: 'ETIMEDOUT' });
    expect(answer?.type === 'failed' && answer.message).to.contain('was not carried out');
  });

  it('never fails where the wait is forever', () => {
    const run = new CacherRun({ serverWaitMs: FOREVER_MS });
    run.open();
    read(run, 9);
    run.take();
    handleTimeout(run.cacher, 1e12);
    expect(run.replies()).to.deep.equal([]);
  });

  it('is told once: a write that its backup takes afterwards is not answered again', () => {
    const run = new CacherRun({ serverWaitMs: 1000 });
    run.write('abc');
    run.application('app', writeOf(4, 'xyz'));
    handleTimeout(run.cacher, 1000);
    const [answer] = run.replies();
    expect(answer).to.include({ type: 'failed', request: 4, code: 'ETIMEDOUT' });
    expect(answer?.type === 'failed' && answer.message).to.contain('it may happen yet');
    run.peer(N2, { type: 'backupAck', file: FILE, term: 1, version: { term: 1, counter: 2 } });
    expect(run.replies()).to.deep.equal([]);
    expect(run.text()).to.equal('xyztents');
  });
});
