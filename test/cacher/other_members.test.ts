import { expect } from 'chai';
import { OtherMembers } from '../../cacher/other_members.ts';
import type { Member } from '../../protocol/fields.ts';
import type { NodeId } from '../../protocol/ids.ts';

const member = (node: string, incarnation: number): Member => ({
  node: node as NodeId,
  incarnation,
  address: `${node}:1`,
});

/** Follows one list after the other; what is asked of the links. */
const follow = (...lists: readonly (readonly Member[])[]): string[] => {
  const asked: string[] = [];
  const others = new OtherMembers('n1' as NodeId);
  for (const list of lists) {
    others.follow(list, {
      setPeer: (...args) => asked.push(args.join(' ')),
      removePeer: (name) => asked.push(`remove ${name}`),
    });
  }
  return asked;
};

describe('the links to other members', () => {
  it('go to each of them but oneself, in the life that is on the list', () => {
    expect(follow([member('n1', 1), member('n2', 5)], [member('n2', 6)])).to.eql([
      'n2 n2:1 lower-name 5',
      'n2 n2:1 lower-name 6',
    ]);
  });

  it('end when a member is on the list no more, once', () => {
    expect(follow([member('n2', 5)], [], []).slice(1)).to.eql(['remove n2']);
  });
});
