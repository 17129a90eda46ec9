import { expect } from 'chai';
import { daemonAsText, isServing } from '../../cli/daemon_status.ts';

describe('isServing', () => {
  it('is so for a server that does not stop, and for a cacher that is a member', () => {
    expect(isServing({ stopping: false, members: [] })).to.equal(true);
    expect(isServing({ stopping: true, members: [] })).to.equal(false);
    const cacher = { stopping: false, serverUp: true, admitted: true };
    expect(isServing(cacher)).to.equal(true);
    expect(isServing({ ...cacher, admitted: false })).to.equal(false);
    expect(isServing({ ...cacher, serverUp: false })).to.equal(false);
  });
});

describe('daemonAsText', () => {
  const member = { node: 'n1', address: '10.0.0.1:7000', pages: 32, freePages: 8 };

  it('has a line for the server and one for each member', () => {
    const members = [{ ...member, linkUp: true, leaving: false }];
    expect(daemonAsText('server', { epoch: 2, members })).to.deep.equal([
      'server  up, epoch 2',
      '  n1  up  10.0.0.1:7000  free pages 8, pages 32',
    ]);
  });

  it('tells members that leave or are not reached', () => {
    const members = [
      { ...member, linkUp: true, leaving: true },
      { ...member, node: 'n2', linkUp: false, leaving: false },
    ];
    const [, first, second] = daemonAsText('server', { members });
    expect(first).to.include('leaves');
    expect(second).to.include('not reached');
  });

  it('never hides what was lost, is out of reach, or has one copy', () => {
    const status = { lostFiles: [{ file: 7, term: 3 }], unavailableFiles: 2, unprotectedFiles: 1 };
    const text = daemonAsText('server', { ...status, members: [] }).join('\n');
    expect(text).to.include('lost: the newest contents of file 7');
    expect(text).to.include('unavailable 2');
    expect(text).to.include('on one node only 1');
  });

  it('has one line for a cacher, whose members are names', () => {
    const status = { serverUp: true, admitted: false, pages: 32, members: ['n1', 'n2'] };
    expect(daemonAsText('n1', status)).to.deep.equal(['n1  does not serve now, pages 32']);
  });
});
