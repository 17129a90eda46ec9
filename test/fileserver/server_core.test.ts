import { expect } from 'chai';
import { handleLinkDown, handleStop } from '../../fileserver/server_core.ts';
import * as core from '../../fileserver/server_core.ts';
import { RESEND_MS } from '../../fileserver/scheduler.ts';
import type { FileNumber, NodeId } from '../../protocol/ids.ts';
import { orderOf } from '../../protocol/messages.ts';
import { STOP_LIMIT_MS } from '../../protocol/stopping.ts';
import { codes, HEARTBEAT_MS, FILE, ServerRun } from './server_run.ts';

const OUTSIDE = 16 as FileNumber;
const ORDER = { epoch: 1, sequence: 1 };

describe('the file server', () => {
  it('drops what strangers send, and says so', () => {
    const run = new ServerRun();
    run.from('x', { type: 'getShared', request: 1, file: FILE });
    run.from('x', {
      type: 'frozen',
      order: ORDER,
      file: FILE,
      version: { term: 9, counter: 9 },
      bytes: new Uint8Array(0),
      outcomes: [],
    });
    run.from('x', { type: 'leave' });
    const warnings = run.warnings();
    expect(warnings.length).to.equal(3);
    expect(warnings[0]).to.equal('getShared from x, which has not registered: dropped');
    expect(run.server.entries.size).to.equal(0);
  });

  it('answers ENOENT to requests for files outside the volume, and drops answers about them', () => {
    const run = new ServerRun();
    run.register('n1');
    run.from('n1#1', { type: 'getShared', request: 1, file: OUTSIDE });
    expect(codes(run.sent('n1#1'))).to.deep.equal(['ENOENT']);
    run.from('n1#1', { type: 'received', order: ORDER, file: OUTSIDE, held: true });
    run.from('n1#1', { type: 'evicted', file: OUTSIDE });
    expect(run.server.entries.size).to.equal(0);
    run.from('x', { type: 'where', request: 2, file: OUTSIDE });
    expect(codes(run.sent('x'))).to.deep.equal(['ENOENT']);
  });

  it('drops answers that nobody waits for: late, of another order, of another node', () => {
    const run = new ServerRun();
    run.register('n1', 'n2', 'n3');
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    const [prepare] = run.sent('n2#1');
    if (prepare?.type !== 'prepareBackup') throw new Error('no backup is prepared');
    const { order } = prepare;
    run.take();
    run.from('n1#1', { type: 'ownerPrepared', order, file: FILE });
    const answer = { type: 'backupPrepared', file: FILE, full: false, holds: false } as const;
    run.from('n3#1', { ...answer, order });
    run.from('n2#1', { ...answer, order: { ...order, epoch: 2 } });
    run.from('n2#1', { ...answer, order, file: 6 as FileNumber });
    expect(run.sent('n1#1')).to.deep.equal([]);
    run.from('n2#1', { ...answer, order });
    expect(codes(run.sent('n1#1'))).to.deep.equal(['grant']);
  });

  it('warns of messages of members that are for a cacher', () => {
    const run = new ServerRun();
    run.register('n1');
    run.from('n1#1', { type: 'left' });
    expect(run.warnings()).to.deep.equal(['left of n1 is not for a file server: dropped']);
  });

  it('counts nobody as a sharer who had given up already what he is sent', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    for (const [node, held] of [
      ['n1', false],
      ['n2', true],
    ] as const) {
      run.from(`${node}#1`, { type: 'getShared', request: 1, file: FILE });
      const order = run
        .sent(`${node}#1`)
        .map(orderOf)
        .find((each) => each !== undefined);
      if (order === undefined) throw new Error(`${node} is not sent the file`);
      run.from(`${node}#1`, { type: 'received', order, file: FILE, held });
    }
    expect(run.entry()).to.equal('shared sharers n2');
  });

  it('takes a repeated request for the one that it has', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    const request = { type: 'getModified', request: 1, file: FILE, holds: false } as const;
    run.from('n1#1', request);
    run.from('n1#1', request);
    expect(codes(run.sent('n2#1'))).to.deep.equal(['prepareBackup', 'prepareBackup']);
    expect(run.server.running.size).to.equal(1);
    for (let time = 0; time < 2; time++) run.from('n1#1', { ...request, request: 2 });
    expect(run.server.entries.get(FILE)?.queue.length).to.equal(1);
  });

  it('repeats orders after their time, not before', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    run.take();
    expect(core.nextTimeout(run.server)).to.equal(HEARTBEAT_MS);
    core.handleTimeout(run.server, RESEND_MS - 1);
    expect(codes(run.sent('n2#1'))).to.deep.equal([]);
    core.handleTimeout(run.server, RESEND_MS);
    expect(codes(run.sent('n2#1'))).to.deep.equal(['prepareBackup']);
  });

  it('sends nothing over a link that is down', () => {
    const run = new ServerRun();
    run.register('n1');
    handleLinkDown(run.server, 'n1#1', 0);
    run.from('n1#1', {
      type: 'heartbeat',
      sequence: 1,
      freePages: 1,
      oldestUseMs: 0,
      candidates: [],
      echo: 0,
      registration: run.registrationOf('n1#1'),
    });
    expect(run.sent('n1#1')).to.deep.equal([]);
  });

  it('takes a file for dirty on the pair that its mark names, after a stop with dirty files', () => {
    const run = new ServerRun();
    const mark = { term: 4, owner: 'n1' as NodeId, backup: 'n2' as NodeId };
    run.metas.set(FILE, { ...run.meta(FILE), mark });
    core.restoreMarks(run.server, [FILE]);
    expect(run.entry()).to.equal('dirty owner n1 backup n2 unavailable');
    expect(run.server.entries.get(FILE)?.term).to.equal(4);
  });

  it('stops after its time is up, with dirty files on their nodes', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.write('n1');
    handleStop(run.server, 0);
    core.handleTimeout(run.server, STOP_LIMIT_MS - 1);
    expect(run.take().some((each) => each.do === 'stop')).to.equal(false);
    core.handleTimeout(run.server, STOP_LIMIT_MS);
    const commands = run.take();
    expect(commands).to.deep.include({ do: 'stop', complete: false });
    const warned = commands.some((each) => each.do === 'log' && each.text.includes('dirty files'));
    expect(warned).to.equal(true);
  });
});

describe('what the file server tells of itself', () => {
  it('is where a file is', () => {
    const run = new ServerRun();
    run.register('n1', 'n2', 'n3');
    run.write('n1');
    run.read('n3');
    run.from('x', { type: 'where', request: 5, file: FILE });
    expect(run.sent('x')[0]).to.deep.include({
      type: 'whereDone',
      request: 5,
      state: 'dirty',
      term: 1,
      owner: 'n1',
      backup: 'n2',
      sharers: ['n3'],
      epoch: 1,
    });
  });

  it('is its members and counters', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.write('n1');
    run.read('n2', 3 as FileNumber);
    run.from('n1#1', { type: 'status', request: 6 });
    const [answer] = run.sent('n1#1');
    const status = JSON.parse(answer?.type === 'statusDone' ? answer.json : '{}') as {
      dirtyFiles: number;
      runningTransactions: number;
      members: { node: string }[];
      counters: Record<string, number>;
    };
    expect(status).to.include({ dirtyFiles: 1, runningTransactions: 0 });
    expect(status.members.map(({ node }) => node)).to.deep.equal(['n1', 'n2']);
    expect(status.counters).to.include({ getShared: 1, getModified: 1, suppliedFromDisk: 1 });
  });
});
