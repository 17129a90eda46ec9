import { expect } from 'chai';
import { startQuiet, handleTimeout } from '../../fileserver/server_core.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { codes, FILE, HEARTBEAT_MS, registerOf, ServerRun } from './server_run.ts';

const LEASE_MS = 400;
/** With its margin of a quarter. */
const LOST_MS = 500;

const isMember = (run: ServerRun, node: string): boolean => run.server.members.has(node as NodeId);

const cluster = (...nodes: string[]): ServerRun => {
  const run = new ServerRun('share', LEASE_MS);
  run.register(...nodes);
  return run;
};

describe('the leases of members', () => {
  it('go on while heartbeats come', () => {
    const run = cluster('n1');
    run.pass(10 * LOST_MS, 'n1');
    expect(isMember(run, 'n1')).to.equal(true);
  });

  it('end a lease and a margin after the last renewal, not a millisecond before', () => {
    const run = cluster('n1');
    run.pass(HEARTBEAT_MS, 'n1');
    run.pass(LOST_MS - 1);
    expect(isMember(run, 'n1')).to.equal(true);
    run.pass(1);
    expect(isMember(run, 'n1')).to.equal(false);
    expect(codes(run.sent('n1#1'))).to.include('expelled');
  });

  it('are not renewed for a member that does not hear the answers', () => {
    const run = cluster('n1');
    const acks = (): number =>
      run.sent('n1#1').filter(({ type }) => type === 'heartbeatAck').length;
    for (run.now = HEARTBEAT_MS; run.now < LEASE_MS; run.now += HEARTBEAT_MS) run.beat('n1', 0);
    expect(acks()).to.equal(3);
    run.now = LEASE_MS;
    run.beat('n1', 0);
    expect(acks()).to.equal(0);
    // The last renewal was at 300 ms.
    run.pass(LOST_MS - HEARTBEAT_MS - 1);
    expect(isMember(run, 'n1')).to.equal(true);
    run.pass(1);
    expect(isMember(run, 'n1')).to.equal(false);
  });

  it('are waited for anew after the server itself stood still', () => {
    const run = cluster('n1');
    run.pass(2 * HEARTBEAT_MS, 'n1');
    run.now += LOST_MS;
    handleTimeout(run.server, run.now);
    expect(isMember(run, 'n1')).to.equal(true);
    run.pass(LOST_MS);
    expect(isMember(run, 'n1')).to.equal(false);
  });

  it('end while the disk reads for their holder: that ends when the disk has answered', () => {
    const run = cluster('n1', 'n2');
    run.slowReads = [];
    run.from('n1#1', { type: 'getShared', request: 1, file: FILE });
    expect(run.slowReads).to.have.length(1);
    run.pass(LOST_MS, 'n2');
    expect(isMember(run, 'n1')).to.equal(false);
    run.answerReads();
    expect(run.server.running.size).to.equal(0);
    run.read('n2');
    expect(run.entry()).to.equal('shared sharers n2');
  });

  it('end for ever: who speaks afterwards is told to register again', () => {
    const run = cluster('n1');
    run.pass(LOST_MS);
    run.take();
    run.beat('n1');
    expect(codes(run.sent('n1#1'))).to.deep.equal(['expelled']);
    // A late repeat of what it asked before its lease was over says nothing of what it holds now.
    run.from('n1#1', registerOf('n1'));
    expect(codes(run.sent('n1#1'))).to.deep.equal(['expelled']);
    run.from('n1#1', { ...registerOf('n1'), attempt: 2 });
    expect(codes(run.sent('n1#1'))).to.include('registered');
  });
});

describe('the quiet time after a restart', () => {
  const restarted = (): ServerRun => {
    const run = new ServerRun('share', LEASE_MS);
    startQuiet(run.server, LEASE_MS, run.now);
    run.register('n1', 'n2');
    return run;
  };

  it('lets nobody write until every lease of the last life is over, and everybody read', () => {
    const run = restarted();
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    run.from('n2#1', { type: 'getShared', request: 1, file: 3 as typeof FILE });
    expect(codes(run.sent('n2#1'))).to.deep.equal(['data']);
    run.pass(LOST_MS - 1, 'n1', 'n2');
    expect(codes(run.sent('n2#1'))).to.not.include('prepareBackup');
    run.pass(1, 'n1', 'n2');
    expect(codes(run.sent('n2#1'))).to.include('prepareBackup');
  });

  it('has the margin of the lease that is waited for, which may be longer than that of this life', () => {
    const run = new ServerRun('share', LEASE_MS);
    startQuiet(run.server, 25 * LEASE_MS, run.now);
    run.register('n1', 'n2');
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    // A clock that goes slow by 10 % makes 11.1 leases of 10.
    run.pass(28 * LEASE_MS, 'n1', 'n2');
    expect(codes(run.sent('n2#1'))).to.not.include('prepareBackup');
    run.pass(4 * LEASE_MS, 'n1', 'n2');
    expect(codes(run.sent('n2#1'))).to.include('prepareBackup');
  });

  it('is none after a life without leases', () => {
    const run = new ServerRun('share', LEASE_MS);
    startQuiet(run.server, 0, run.now);
    run.register('n1', 'n2');
    run.write('n1');
    expect(run.entry()).to.equal('dirty owner n1 backup n2');
  });
});

describe('a lost member', () => {
  it('is a sharer no more', () => {
    const run = cluster('n1', 'n2');
    run.read('n1');
    run.read('n2');
    run.pass(LOST_MS, 'n2');
    expect(run.entry()).to.equal('shared sharers n2');
  });

  it('does not hold up the write whose backup it was to be: another node is chosen', () => {
    const run = cluster('n1', 'n2', 'n3');
    run.read('n3');
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    run.take();
    run.pass(LOST_MS, 'n1', 'n2');
    run.settle();
    expect(run.entry()).to.equal('dirty owner n1 backup n2');
    expect(run.server.running.size).to.equal(0);
  });
});
