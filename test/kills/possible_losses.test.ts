import { expect } from 'chai';
import type { NodeId } from '../../protocol/ids.ts';
import { impossibleLosses, type StruckNode } from './possible_losses.ts';

const killed = (name: string, whole = true): StruckNode => ({ name: name as NodeId, whole });
const lost = (...holders: string[]) => ({ file: 7, times: 1, term: 3, holders });

describe('losses that kills explain', () => {
  const pair = [killed('n1'), killed('n3', false)];

  it('are those of files that both killed nodes held', () => {
    expect(impossibleLosses([lost('n1', 'n3'), lost('n3', 'n1')], pair)).to.deep.equal([]);
  });

  it('are not those of files of which a node that lives had a copy', () => {
    expect(impossibleLosses([lost('n1', 'n2'), lost('n3', 'n1')], pair)).to.deep.equal([
      'file 7, held by n1 and n2, was lost when n1 and n3 had been killed',
    ]);
    expect(impossibleLosses([lost('n2', 'n4')], pair)).to.have.length(1);
  });

  it('are none where one node at a time was killed, or nobody', () => {
    expect(impossibleLosses([lost('n1', 'n3')], [killed('n1')])).to.have.length(1);
    expect(impossibleLosses([lost('n1', 'n3')], [])).to.have.length(1);
    expect(impossibleLosses([lost('n1', 'n3')], [killed('n1'), killed('n3')])).to.deep.equal([
      'file 7, held by n1 and n3, was lost when n1 and n3 had been killed, each while all was on two nodes',
    ]);
  });

  it('are none where the server was killed with one node, or nobody knows who held the file', () => {
    const withServer = [killed('server'), killed('n3', false)];
    expect(impossibleLosses([lost('n1', 'n3')], withServer)).to.have.length(1);
    expect(impossibleLosses([lost()], pair)).to.deep.equal([
      'file 7, held by nobody knows whom, was lost when n1 and n3 had been killed',
    ]);
  });
});
