import { expect } from 'chai';
import { handleLinkDown, handleStop, handleTimeout } from '../../fileserver/server_core.ts';
import { NOTHING_HELD } from '../../fileserver/server_state.ts';
import { FIRST_VERSION, type ClientId, type FileNumber, type NodeId } from '../../protocol/ids.ts';
import { MEMBERS_LIMIT, orderOf } from '../../protocol/messages.ts';
import {
  codes,
  CONTENTS,
  FILE,
  HEARTBEAT_MS,
  LONG_MS,
  registerOf,
  ServerRun,
} from './server_run.ts';

const LEASE_MS = 400;
/** With its margin of a quarter. */
const LOST_MS = 500;

/** The links that were ordered to say what they hold since the last `take`. */
const recovering = (run: ServerRun): string[] =>
  run
    .take()
    .flatMap((each) => (each.do === 'send' && each.message.type === 'recover' ? [each.to] : []));

describe('membership', () => {
  it('admits a cacher and tells the others', () => {
    const run = new ServerRun();
    run.register('n1');
    run.from('n2#1', registerOf('n2'));
    const commands = run.take();
    const sent = commands.flatMap((each) =>
      each.do === 'send' ? [`${each.to} ${each.message.type}`] : [],
    );
    expect(sent).to.deep.equal(['n2#1 registered', 'n1#1 members', 'n2#1 members']);
  });

  it('refuses a second cacher of one name once the first is heard again, and leaves that alone', () => {
    const run = new ServerRun();
    run.register('n1');
    run.from('n1#2', registerOf('n1', 2));
    run.now = HEARTBEAT_MS;
    // This one may have been on its way when the node started anew.
    run.beat('n1');
    run.from('n1#2', registerOf('n1', 2));
    expect(run.sent('n1#2')).to.deep.equal([]);
    run.now++;
    run.beat('n1');
    run.from('n1#2', registerOf('n1', 2));
    const sent = run.sent('n1#2');
    expect(codes(sent)).to.deep.equal(['EBUSY']);
    expect(sent[0]?.type === 'registrationRefused' && sent[0].message).to.contain('alive at n1:1');
    run.from('n1#1', { type: 'getShared', request: 1, file: FILE });
    expect(run.sent('n1#1')[0]?.type).to.equal('data');
  });

  it('admits a new incarnation once its old self is silent, which keeps what it held until its lease is over', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2', 'n3');
    run.write('n1');
    handleLinkDown(run.server, 'n2#1', 0);
    run.from('n2#2', registerOf('n2', 2));
    run.pass(LEASE_MS / 2 - 1, 'n1', 'n3');
    run.from('n2#2', registerOf('n2', 2));
    expect(run.sent('n2#2')).to.deep.equal([]);
    run.pass(1, 'n1', 'n3');
    run.from('n2#2', registerOf('n2', 2));
    expect(codes(run.sent('n2#2'))).to.include('registered');
    // Its place as backup is its old self's, and so is the lease.
    run.pass(LOST_MS - LEASE_MS / 2 - 1, 'n1', 'n2#2', 'n3');
    expect(run.entry()).to.equal('dirty owner n1 backup n2#1');
    expect(recovering(run)).to.deep.equal([]);
    run.pass(1, 'n1', 'n2#2', 'n3');
    expect(recovering(run)).to.deep.equal(['n1#1']);
  });

  it('carries nothing out that the old self of a node had asked for', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2', 'n3');
    run.from('n2#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    expect(run.server.running.size).to.equal(1);
    run.from('n2#2', registerOf('n2', 2));
    run.pass(LEASE_MS / 2, 'n1', 'n3');
    run.from('n2#2', registerOf('n2', 2));
    run.pass(LOST_MS, 'n1', 'n2#2', 'n3');
    run.settle();
    expect(run.entry()).to.equal('uncached');
    expect(run.server.running.size).to.equal(0);
    expect([...run.server.members.keys()]).to.have.members(['n1', 'n2', 'n3']);
  });

  it('lets an old self that goes on after all come back when its old lease is over', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2');
    run.from('n2#2', registerOf('n2', 2));
    run.pass(LEASE_MS / 2, 'n1');
    run.from('n2#2', registerOf('n2', 2));
    expect([...run.server.members.keys()]).to.have.members(['n1', 'n2', 'n2#1']);
    // The next life is silent too, and the first one is heard again.
    run.from('n2#1', registerOf('n2'));
    run.pass(LEASE_MS / 2, 'n1');
    run.take();
    run.from('n2#1', registerOf('n2'));
    expect(run.sent('n2#1')).to.deep.equal([]);
    run.pass(LOST_MS, 'n1');
    run.from('n2#1', { ...registerOf('n2'), attempt: 2 });
    expect(codes(run.sent('n2#1'))).to.include('registered');
    run.pass(LOST_MS, 'n1', 'n2');
    run.read('n2');
    expect(run.entry()).to.equal('shared sharers n2');
  });

  it('tells no life of a node from another by a silence in which the server stood still', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2');
    run.from('n2#2', registerOf('n2', 2));
    run.pass(HEARTBEAT_MS, 'n1', 'n2');
    run.now += LEASE_MS;
    run.from('n2#2', registerOf('n2', 2));
    handleTimeout(run.server, run.now);
    run.from('n2#2', registerOf('n2', 2));
    expect([...run.server.members.keys()]).to.deep.equal(['n1', 'n2']);
    run.pass(2 * HEARTBEAT_MS, 'n1', 'n2');
    run.take();
    run.from('n2#2', registerOf('n2', 2));
    expect(codes(run.sent('n2#2'))).to.deep.equal(['EBUSY']);
  });

  it('lets an old self go on whose link was new, whoever waits for its name', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.write('n1');
    run.from('n2#2', registerOf('n2', 2));
    run.from('n2#1', registerOf('n2'));
    const firstClient = run.registrationOf('n2#1');
    expect(run.sent('n2#1')[0]).to.include({ type: 'registered', firstClient });
    expect(run.entry()).to.equal('dirty owner n1 backup n2');
  });

  it('repeats the open orders to a member that registers again', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    expect(codes(run.sent('n2#1'))).to.deep.equal(['prepareBackup']);
    handleLinkDown(run.server, 'n2#1', 0);
    run.from('n2#1', registerOf('n2'));
    expect(codes(run.sent('n2#1'))).to.not.include('prepareBackup');
    // Not before it is heard: an order that overtakes the answer to the registration is dropped.
    run.beat('n2');
    expect(codes(run.sent('n2#1'))).to.include('prepareBackup');
  });

  it('gives no order to a member that may go by an earlier registration, and renews nothing by that', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2');
    const registration = run.registrationOf('n2#1');
    run.pass(LOST_MS, 'n1');
    run.from('n2#1', registerOf('n2'));
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    run.take();
    const old = { sequence: 9, freePages: 8, oldestUseMs: 0, candidates: [], echo: 8 } as const;
    run.from('n2#1', { type: 'heartbeat', ...old, registration });
    expect(run.sent('n2#1')).to.deep.equal([{ type: 'expelled', registration, attempt: 0 }]);
    run.now += 2 * LONG_MS;
    handleTimeout(run.server, run.now);
    expect(codes(run.sent('n2#1'))).to.not.include('prepareBackup');
  });

  it('admits nobody by a repeat of what a registration that is over has answered, and says so', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2');
    const registration = run.registrationOf('n2#1');
    run.pass(LOST_MS, 'n1');
    const over = { type: 'expelled', registration, attempt: 1 };
    expect(run.sent('n2#1')).to.deep.include(over);
    run.from('n2#1', registerOf('n2'));
    expect(run.sent('n2#1')).to.deep.equal([over]);
    run.from('n2#1', { ...registerOf('n2'), attempt: 2 });
    expect(codes(run.sent('n2#1'))).to.include('registered');
  });

  it('undoes a grant for somebody who has given up what he asked for, and does not try again', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    for (let commands = run.take(); commands.length > 0; commands = run.take()) {
      for (const each of commands) {
        if (each.do !== 'send') continue;
        const { to, message } = each;
        if (message.type === 'prepareOwner') {
          run.from(to, { type: 'ownerPrepared', order: message.order, file: FILE });
        } else if (message.type === 'prepareBackup') {
          const answer = { order: message.order, file: FILE, full: false, holds: false } as const;
          run.from(to, { type: 'backupPrepared', ...answer });
        } else if (message.type === 'grant') {
          run.from(to, { type: 'granted', order: message.order, file: FILE, taken: false });
        }
      }
    }
    const [transaction] = run.server.running.values();
    expect(transaction?.kind).to.equal('recover');
    expect(run.server.entries.get(FILE)?.queue).to.deep.equal([]);
  });

  it('does not go on with a write whose asker has no use for the contents any more', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.read('n2');
    run.from('n1#1', { type: 'getModified', request: 1, file: FILE, holds: false });
    const forward = run.sent('n2#1').find(({ type }) => type === 'forward');
    const order = forward === undefined ? undefined : orderOf(forward);
    if (order === undefined) throw new Error('n2 is not asked for its copy');
    run.from('n1#1', { type: 'received', order, file: FILE, held: false });
    const [transaction] = run.server.running.values();
    expect(transaction?.kind).to.equal('recover');
    expect(run.server.entries.get(FILE)?.queue).to.deep.equal([]);
  });

  it('renews nobody who repeats what is answered already: he may not hear it', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2');
    run.from('n2#1', { ...registerOf('n2'), attempt: 2 });
    for (let time = 0; time < 6; time++) {
      run.pass(HEARTBEAT_MS, 'n1');
      run.from('n2#1', { ...registerOf('n2'), attempt: 2 });
    }
    expect(run.server.members.has('n2' as NodeId)).to.equal(false);
  });

  it('says again what a member may keep, until that is known to have heard it', () => {
    const run = new ServerRun();
    const clean = { file: FILE, kind: 'clean', term: 0, version: FIRST_VERSION } as const;
    const kept = (): readonly FileNumber[] | undefined => {
      run.from('n1#1', registerOf('n1', 1, [clean]));
      const [answer] = run.sent('n1#1');
      return answer?.type === 'registered' ? answer.kept : undefined;
    };
    expect(kept()).to.deep.equal([FILE]);
    expect(kept()).to.deep.equal([FILE]);
    run.beat('n1');
    run.take();
    expect(kept()).to.deep.equal([]);
  });

  it('counts no file as unprotected that was written back before its old holder was lost', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2', 'n3');
    run.write('n1');
    run.from('n1#1', { type: 'writeBack', request: 2, file: FILE });
    const [collect] = run.sent('n1#1');
    const order = collect === undefined ? undefined : orderOf(collect);
    if (order === undefined) throw new Error('the owner is not asked for the contents');
    // The backup starts again before they are here.
    run.from('n2#2', registerOf('n2', 2));
    run.pass(LEASE_MS / 2, 'n1', 'n3');
    run.from('n2#2', registerOf('n2', 2));
    expect(run.server.reprotection?.files.size).to.equal(1);
    const contents = { version: { term: 1, counter: 1 }, bytes: CONTENTS, outcomes: [] };
    run.from('n1#1', { type: 'collected', order, file: FILE, ...contents });
    run.from('n1#1', { type: 'cleaned', order, file: FILE });
    run.pass(LOST_MS, 'n1', 'n2#2', 'n3');
    expect(run.entry()).to.match(/^shared/);
    expect(run.server.reprotection).to.equal(undefined);
  });

  it('believes a link only its own name, and nobody that of the server', () => {
    const run = new ServerRun();
    for (const link of ['n1#2', 'n2#1', 'n1']) {
      run.from(link, registerOf('n1'));
      expect(codes(run.sent(link)), link).to.deep.equal(['EPROTO']);
    }
    run.from('server#1', registerOf('server'));
    expect(codes(run.sent('server#1'))).to.deep.equal(['EPROTO']);
  });

  it('has a limit', () => {
    const run = new ServerRun();
    for (let count = 1; count < MEMBERS_LIMIT; count++) {
      const node = `m${count}` as NodeId;
      const record = {
        ...registerOf(node),
        link: '',
        linkUp: false,
        leaving: false,
        former: false,
      };
      const hints = { freePages: 0, oldestUseMs: 0, heartbeatMs: 0, fresh: false, fenced: false };
      const lease = {
        renewedMs: 0,
        heardMs: 0,
        acksSent: new Map(),
        firstClient: 1 as ClientId,
        firstSequence: 1,
        untold: NOTHING_HELD,
      };
      run.server.members.set(node, { ...record, ...hints, ...lease });
    }
    run.from('n1#1', registerOf('n1'));
    expect(codes(run.sent('n1#1'))).to.include('registered');
    run.from('n2#1', registerOf('n2'));
    expect(codes(run.sent('n2#1'))).to.deep.equal(['EBUSY']);
  });

  it('answers a heartbeat with the copy counts that it asks for', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.read('n1');
    run.read('n2');
    const candidates = [FILE, 3, 99] as FileNumber[];
    run.from('n1#1', {
      type: 'heartbeat',
      sequence: 5,
      freePages: 1,
      oldestUseMs: 9,
      candidates,
      echo: 0,
      registration: run.registrationOf('n1#1'),
    });
    expect(run.sent('n1#1')[0]).to.deep.equal({
      type: 'heartbeatAck',
      sequence: 5,
      hints: [
        { file: FILE, copies: 2 },
        { file: 3, copies: 0 },
      ],
    });
  });
});

describe('a member that leaves', () => {
  it('goes at once when it holds nothing dirty', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.read('n1');
    run.from('n1#1', { type: 'leave' });
    expect(codes(run.sent('n1#1'))).to.include('left');
    expect(run.entry()).to.equal('uncached');
    expect([...run.server.members.keys()]).to.deep.equal(['n2']);
  });

  it('has its dirty files written back first, as owner and as backup', () => {
    for (const node of ['n1', 'n2']) {
      const run = new ServerRun();
      run.register('n1', 'n2');
      run.write('n1');
      run.from(`${node}#1`, { type: 'leave' });
      expect(run.server.members.size, node).to.equal(2);
      run.settle();
      expect(run.server.members.size, node).to.equal(1);
      expect(run.entry()).to.equal(`shared sharers ${node === 'n1' ? 'n2' : 'n1'}`);
      expect(run.records.at(-1)?.kind).to.equal('contents');
    }
  });

  it('is not asked to be a backup any more', () => {
    const run = new ServerRun();
    run.register('n1', 'n2', 'n3');
    run.write('n1');
    run.from('n2#1', { type: 'leave' });
    run.from('n1#1', { type: 'getModified', request: 9, file: 1 as FileNumber, holds: false });
    expect(codes(run.sent('n3#1'))).to.include('prepareBackup');
  });
});

describe('a server that stops', () => {
  it('writes every dirty file back, and admits nobody', () => {
    const run = new ServerRun();
    run.register('n1', 'n2');
    run.write('n1');
    handleStop(run.server, 0);
    run.from('n3#1', registerOf('n3'));
    const commands = run.take();
    expect(commands.some((each) => each.do === 'stop')).to.equal(false);
    const refusals = commands.filter((each) => each.do === 'send' && each.to === 'n3#1');
    expect(refusals.length).to.equal(1);
    run.from('n1#1', { type: 'getShared', request: 5, file: 2 as FileNumber });
    expect(codes(run.sent('n1#1'))).to.deep.equal(['ESHUTDOWN']);
  });
});
