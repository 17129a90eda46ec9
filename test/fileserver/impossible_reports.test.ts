import { expect } from 'chai';
import { restoreMarks } from '../../fileserver/server_core.ts';
import type { Holding } from '../../protocol/fields.ts';
import {
  FIRST_VERSION,
  TERMS_PER_EPOCH,
  type FileNumber,
  type NodeId,
  type Order,
  type Version,
} from '../../protocol/ids.ts';
import { orderOf, type Message } from '../../protocol/messages.ts';
import { codes, CONTENTS, FILE, LONG_MS, registerOf, ServerRun } from './server_run.ts';

const dirty: Holding = { file: FILE, kind: 'dirty', term: 2, version: { term: 1, counter: 1 } };

/** What the server answers to somebody who registers with these holdings. */
const answerTo = (...holdings: Holding[]): string[] => {
  // The second life of a server: what the first announced, it cannot know.
  const run = new ServerRun('share', LONG_MS, LONG_MS, 2);
  run.register('n1');
  run.from('n2#1', registerOf('n2', 1, holdings));
  const answers = codes(run.sent('n2#1'));
  // It is refused, and the server goes on.
  expect(run.server.members.has('n1' as NodeId)).to.equal(true);
  run.from('n1#1', { type: 'getShared', request: 1, file: FILE });
  expect(codes(run.sent('n1#1'))).to.include('data');
  return answers;
};

describe('what members report of their memory when they register', () => {
  it('is taken where it can be', () => {
    expect(answerTo(dirty)).to.include('registered');
    expect(answerTo({ ...dirty, term: TERMS_PER_EPOCH })).to.include('registered');
  });

  it('is refused for a term that was never announced', () => {
    expect(answerTo({ ...dirty, term: TERMS_PER_EPOCH + 1 })).to.deep.equal(['EPROTO']);
    expect(answerTo({ ...dirty, kind: 'empty', term: 2 ** 50 })).to.deep.equal(['EPROTO']);
  });

  it('is refused for a version of a later term than the one it is held in', () => {
    const version = { term: 3, counter: 1 };
    expect(answerTo({ ...dirty, version })).to.deep.equal(['EPROTO']);
  });

  it('is refused for contents of a term that two others had', () => {
    const mark = { term: 2, owner: 'n3' as NodeId, backup: 'n2' as NodeId };
    const run = new ServerRun('share', LONG_MS, LONG_MS, 2);
    run.metas.set(FILE, { version: FIRST_VERSION, mark, outcomes: [], losses: 0 });
    run.from('n1#1', registerOf('n1', 1, [dirty]));
    expect(codes(run.sent('n1#1'))).to.deep.equal(['EPROTO']);
    run.from('n2#1', registerOf('n2', 1, [dirty]));
    expect(codes(run.sent('n2#1'))).to.include('registered');
  });

  it('is taken from a node that was to take over from two others, and has their contents', () => {
    const mark = { term: 2, owner: 'n3' as NodeId, backup: 'n4' as NodeId };
    const run = new ServerRun('share', LONG_MS, LONG_MS, 2);
    run.metas.set(FILE, { version: FIRST_VERSION, mark, outcomes: [], losses: 0 });
    restoreMarks(run.server, [FILE]);
    // The term that it was to own is not on the disk; what it builds on is.
    run.from('n2#1', registerOf('n2', 1, [{ ...dirty, term: 3 }]));
    const answers = run.sent('n2#1');
    expect(answers.find(({ type }) => type === 'registered')).to.deep.include({ wanted: [FILE] });
    run.beat('n2');
    expect(codes(run.sent('n2#1'))).to.include('recover');
  });

  it('is refused for a file outside the volume, and for one that is reported twice', () => {
    const file = 1_000_000 as FileNumber;
    expect(answerTo({ ...dirty, file })).to.deep.equal(['EPROTO']);
    expect(answerTo(dirty, dirty)).to.deep.equal(['EPROTO']);
    const [clean, empty] = [
      { ...dirty, kind: 'clean' } as const,
      { ...dirty, kind: 'empty' } as const,
    ];
    expect(answerTo(dirty, clean)).to.deep.equal(['EPROTO']);
    expect(answerTo(clean, clean)).to.deep.equal(['EPROTO']);
    // Nothing was written under the term, and there is a copy of what the disk has.
    expect(answerTo(empty, clean)).to.not.include('EPROTO');
  });
});

describe('what members answer to orders', () => {
  const LEASE_MS = 400;
  /** n1 owns the file, n2 has the second copy, n3 has read it. */
  const shared = (): ServerRun => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2', 'n3');
    run.write('n1');
    run.read('n3');
    expect(run.entry()).to.equal('dirty owner n1 backup n2 sharers n3');
    return run;
  };
  const orderTo = (run: ServerRun, link: string, type: Message['type']): Order => {
    const found = run.sent(link).findLast((each) => each.type === type);
    const order = found === undefined ? undefined : orderOf(found);
    if (order === undefined) throw new Error(`no ${type} was sent to ${link}`);
    return order;
  };
  /** What the liar says is not taken, it is given up with its lease, and the others go on without it. */
  const expectFenced = (run: ServerRun, liar: string, words: string): void => {
    expect(run.warnings().join('\n')).to.include(words).and.include(`${liar} is not listened to`);
    run.pass(2 * LEASE_MS, 'n1', 'n2', 'n3');
    const members = [...run.server.members.keys()];
    expect(members)
      .to.include('n2' === liar ? 'n3' : 'n2')
      .and.not.include(liar);
  };

  it('fences an owner that gives contents of a term that is not in force', () => {
    const run = shared();
    run.from('n3#1', { type: 'flush', request: 1, file: FILE, all: false });
    const order = orderTo(run, 'n1#1', 'collect');
    const contents = { bytes: CONTENTS, outcomes: [] };
    const version = { term: 2, counter: 1 };
    run.from('n1#1', { type: 'collected', order, file: FILE, version, ...contents });
    expectFenced(run, 'n1', 'version 2.1 is of a later term than 1');
    expect(run.records.some(({ kind }) => kind === 'contents')).to.equal(false);
  });

  it('fences an owner that gives contents older than the disk has', () => {
    const run = new ServerRun('share', LEASE_MS);
    run.register('n1', 'n2', 'n3');
    const version = { term: 3, counter: 4 };
    run.metas.set(FILE, { version, mark: undefined, outcomes: [], losses: 0 });
    run.write('n1');
    run.from('n3#1', { type: 'flush', request: 1, file: FILE, all: false });
    const order = orderTo(run, 'n1#1', 'collect');
    const older = { version: { term: 3, counter: 3 }, bytes: CONTENTS, outcomes: [] };
    run.from('n1#1', { type: 'collected', order, file: FILE, ...older });
    expectFenced(run, 'n1', "version 3.3 is older than the disk's, 3.4");
  });

  it('fences a node that says in a recovery that it holds what two others had', () => {
    const run = shared();
    run.pass(500, 'n2', 'n3');
    const order = orderTo(run, 'n3#1', 'recover');
    const nothing = { ungranted: 0, base: 0 };
    const lie = { kind: 'dirty', term: 1, version: { term: 1, counter: 9 }, ...nothing } as const;
    run.from('n3#1', { type: 'recovered', order, file: FILE, ...lie });
    expectFenced(run, 'n3', 'term 1 is that of n1 and n2');
  });

  it('takes in a recovery what a node has that was to take over from the lost pair', () => {
    const run = shared();
    run.register('n4');
    run.from('n3#1', { type: 'getModified', request: 2, file: FILE, holds: false });
    run.pass(500, 'n3', 'n4');
    const order = orderTo(run, 'n3#1', 'recover');
    const held = { kind: 'dirty', term: 1, version: { term: 1, counter: 1 } } as const;
    const pledge = { ungranted: 2, base: 1 };
    run.from('n3#1', { type: 'recovered', order, file: FILE, ...held, ...pledge });
    run.settle();
    expect(run.entry()).to.equal('dirty owner n3 backup n4');
    expect(run.server.members.get('n3' as NodeId)).to.include({ fenced: false });
  });

  it('fences a node that says that it was to own a term that builds on the same or a later one', () => {
    const run = shared();
    run.pass(500, 'n2', 'n3');
    const order = orderTo(run, 'n2#1', 'recover');
    const lie = { kind: 'none', term: 0, version: FIRST_VERSION, ungranted: 1, base: 1 } as const;
    run.from('n2#1', { type: 'recovered', order, file: FILE, ...lie });
    expectFenced(run, 'n2', 'term 1 does not build on term 1');
  });

  /** What a node says of its copy when the file changes hands. */
  const frozen = (run: ServerRun, node: string, version: Version): void => {
    const order = orderTo(run, `${node}#1`, 'freeze');
    const nothing = { bytes: new Uint8Array(0), outcomes: [] };
    run.from(`${node}#1`, { type: 'frozen', order, file: FILE, version, ...nothing });
  };

  it('fences an owner or a backup that freezes a version of a term that is not in force', () => {
    for (const liar of ['n1', 'n2']) {
      const run = shared();
      run.from('n3#1', { type: 'getModified', request: 2, file: FILE, holds: true });
      if (liar === 'n2') frozen(run, 'n1', { term: 1, counter: 1 });
      frozen(run, liar, { term: 2, counter: 1 });
      expectFenced(run, liar, 'version 2.1 is of a later term than 1');
    }
  });

  it('fences an owner that freezes an older version than the disk has, but no backup: it may have none yet', () => {
    const onDisk = { term: 3, counter: 4 };
    for (const [node, fenced] of [
      ['n1', true],
      ['n2', false],
    ] as const) {
      const run = new ServerRun('share', LEASE_MS);
      run.register('n1', 'n2', 'n3');
      run.metas.set(FILE, { version: onDisk, mark: undefined, outcomes: [], losses: 0 });
      run.write('n1');
      run.from('n3#1', { type: 'getModified', request: 2, file: FILE, holds: false });
      if (node === 'n2') frozen(run, 'n1', onDisk);
      frozen(run, node, { term: 3, counter: 3 });
      if (fenced) expectFenced(run, node, "version 3.3 is older than the disk's, 3.4");
      else expect(run.server.members.get('n2' as NodeId)).to.include({ fenced });
    }
  });

  it('fences a node that says that it was to own a term that nobody has announced', () => {
    const run = shared();
    run.pass(500, 'n2', 'n3');
    const order = orderTo(run, 'n2#1', 'recover');
    const lie = { kind: 'none', term: 0, version: FIRST_VERSION, ungranted: 99, base: 0 } as const;
    run.from('n2#1', { type: 'recovered', order, file: FILE, ...lie });
    expectFenced(run, 'n2', 'term 99 was never announced');
  });
});
