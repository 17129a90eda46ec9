import { expect } from 'chai';
import type { FileNumber, NodeId } from '../../protocol/ids.ts';
import { LONG_MS, ServerRun } from './server_run.ts';

const LEASE_MS = 400;
const FILES = [1, 2, 3, 4, 5, 6, 7, 8] as FileNumber[];

/** n1 owned eight files, others have their second copies; n1 is lost. */
const afterLoss = (atOnce = 2): ServerRun => {
  const run = new ServerRun('share', LEASE_MS, LONG_MS, 1, atOnce);
  run.register('n1', 'n2', 'n3');
  for (const file of FILES) run.write('n1', file);
  run.take();
  run.pass(500, 'n2', 'n3');
  expect(run.server.members.has('n1' as NodeId)).to.equal(false);
  return run;
};

const waiting = ({ server }: ServerRun): FileNumber[] => {
  const { urgent, others } = server.recoveriesWaiting;
  return [...urgent, ...others];
};

describe('the turns of recoveries', () => {
  it('are so many at a time, and the next is when one is over', () => {
    const run = afterLoss();
    expect(run.server.recovering.size).to.equal(2);
    expect(waiting(run)).to.deep.equal([3, 4, 5, 6, 7, 8]);
    run.settle();
    expect(run.server.recovering.size + waiting(run).length).to.equal(0);
  });

  it('are first for files that somebody waits for, and do not wait for those that cannot go on', () => {
    const run = afterLoss(1);
    expect(waiting(run)).to.deep.equal([2, 3, 4, 5, 6, 7, 8]);
    run.from('n3#1', { type: 'getShared', request: 9, file: 8 as FileNumber });
    run.from('n3#1', { type: 'getShared', request: 10, file: 7 as FileNumber });
    run.pass(100, 'n2', 'n3');
    expect(waiting(run)).to.deep.equal([7, 2, 3, 4, 5, 6]);
  });

  it('are more at a time when nobody waits for one', () => {
    const run = afterLoss(1);
    run.pass(100, 'n2', 'n3');
    expect(run.server.recovering.size).to.equal(4);
    expect(waiting(run)).to.deep.equal([5, 6, 7, 8]);
  });
});
