import { expect } from 'chai';
import { applicationIn } from '../../cli/compose.ts';

describe('applicationIn', () => {
  const program = ['docker', 'compose'];

  it('starts an application in the container of the service that the node is', () => {
    const expected = ['docker', 'compose', 'exec', '-T', 'n1', 'coopfs', 'application'];
    expect(applicationIn(program, 'n1')).to.deep.equal(expected);
  });

  it('takes a number at the end for one container of several', () => {
    const args = applicationIn(program, 'cacher.2').slice(2);
    expect(args).to.deep.equal(['exec', '-T', '--index', '2', 'cacher', 'coopfs', 'application']);
  });
});
