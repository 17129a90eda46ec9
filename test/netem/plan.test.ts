import { expect } from 'chai';
import { parseGroups, parseLink, planPartition, planProfile, type Plan } from '../../netem/plan.ts';
import { profileNamed } from '../../netem/profile_file.ts';

const NODES = ['server', 'n1', 'n2', 'n3'].map((name) => ({ name, address: `@${name}` }));
const lte = profileNamed('lte');

/** "n1 out @n2 50" for each rule: node, direction, peer, rate in Mbit/s (or cut). */
const rulesOf = (plan: Plan): string[] =>
  [...plan].flatMap(([node, { rules }]) =>
    rules.map(({ direction, peer, fault }) => {
      const cut = fault.loss.model === 'random' && fault.loss.probability === 1;
      return `${node} ${direction} ${peer ?? '*'} ${cut ? 'cut' : (fault.rate ?? 0) / 1e6}`;
    }),
  );

describe('the plan of a profile', () => {
  it('impairs every link at its sender, down from the server and up else', () => {
    const rules = rulesOf(planProfile(NODES, lte, { kind: 'all' }, 1, 'x'));
    expect(rules).to.have.length(12);
    expect(rules).to.include.members(['server out @n1 100', 'n1 out @server 50', 'n3 out @n2 50']);
  });

  it('impairs all that one node sends and gets', () => {
    expect(rulesOf(planProfile(NODES, lte, { kind: 'node', node: 'n2' }, 1, 'x'))).to.deep.equal([
      'n2 out * 50',
      'n2 in * 100',
    ]);
    expect(
      rulesOf(planProfile(NODES, lte, { kind: 'node', node: 'server' }, 1, 'x')),
    ).to.deep.equal(['server out * 100', 'server in * 50']);
  });

  it('impairs one direction of a link, or both', () => {
    const link = { kind: 'link', from: 'n1', to: 'server' } as const;
    expect(rulesOf(planProfile(NODES, lte, { ...link, both: false }, 1, 'x'))).to.deep.equal([
      'n1 out @server 50',
    ]);
    expect(rulesOf(planProfile(NODES, lte, { ...link, both: true }, 1, 'x'))).to.deep.equal([
      'n1 out @server 50',
      'server out @n1 100',
    ]);
  });

  it('gives every node a seed of its own that follows from the seed', () => {
    const seeds = (seed: number): number[] =>
      [...planProfile(NODES, lte, { kind: 'all' }, seed, 'x').values()].map((each) => each.seed);
    expect(new Set(seeds(1)).size).to.equal(4);
    expect(seeds(1)).to.deep.equal(seeds(1));
    expect(seeds(1)).to.not.deep.equal(seeds(2));
  });

  it('names the nodes there are when one is not', () => {
    expect(() => planProfile(NODES, lte, { kind: 'node', node: 'n9' }, 1, 'x')).to.throw(
      'there is no node "n9": expected one of server, n1, n2, n3',
    );
    const same = { kind: 'link', from: 'n1', to: 'n1', both: false } as const;
    expect(() => planProfile(NODES, lte, same, 1, 'x')).to.throw('n1>n1 is no link');
  });
});

describe('the plan of a partition', () => {
  it('cuts every link between two groups in both directions, and no other', () => {
    const groups = parseGroups('n1 | n3,server');
    expect(rulesOf(planPartition(NODES, groups, 'x'))).to.have.members([
      'n1 out @n3 cut',
      'n1 out @server cut',
      'n3 out @n1 cut',
      'server out @n1 cut',
    ]);
  });

  it('takes any number of groups', () => {
    expect(rulesOf(planPartition(NODES, parseGroups('n1|n2|n3'), 'x'))).to.have.length(6);
  });

  for (const text of ['n1,n2', 'n1 |', '| n1', 'n1 | n2,n1', '']) {
    it(`is not "${text}"`, () => {
      expect(() => parseGroups(text)).to.throw(/^partition .*such as n1,n2 '\|' n3,server$/);
    });
  }
});

describe('a link', () => {
  it('is two names with > between them', () => {
    expect(parseLink('n1>server')).to.deep.equal({ from: 'n1', to: 'server' });
    for (const text of ['n1', 'n1>', '>n1', 'n1>n2>n3', 'n1 > n2']) {
      expect(parseLink(text), text).to.equal(undefined);
    }
  });
});
