import { expect } from 'chai';
import type { NetemCluster } from '../../cli/netem_cluster.ts';
import { profileWarnings } from '../../cli/netem_warnings.ts';
import { planProfile } from '../../netem/plan.ts';
import { profileNamed } from '../../netem/profile_file.ts';
import { FsError } from '../../protocol/errors.ts';
import { FakeAgent } from '../netem/fake_agent.ts';

describe('the warnings of netem apply', () => {
  const agents = { n1: new FakeAgent(), n2: new FakeAgent() };
  const cluster: NetemCluster = {
    nodes: ['n1', 'n2', 'n3'].map((name) => ({ name, address: `${name}:7000` })),
    engine: 'relay',
    dial: (node) =>
      node === 'n3'
        ? Promise.reject(new FsError('ECONNLOST', 'no n3'))
        : Promise.resolve(agents[node as 'n1' | 'n2'].dial(node)),
    leaseMs: 10,
    control: undefined,
  };
  const wifi = profileNamed('wifi');

  it('leave out nodes that do not tell: one that is down, and one that is lost when it is asked', async () => {
    agents.n1.answer = () => ({ engine: 'relay', seeded: false, settings: [] });
    agents.n2.answer = () => {
      agents.n2.hangUp();
      return undefined;
    };
    const plan = planProfile(cluster.nodes, wifi, { kind: 'all' }, 1, 'id');
    const [lease, seed, ...more] = await profileWarnings(cluster, wifi, plan, 7);
    expect(lease).to.match(/^warning: the lease of this cluster is 10 ms/);
    expect(seed).to.match(/^warning: --seed 7 changes nothing at n1: /);
    expect(more).to.deep.equal([]);
    expect(agents.n2.count('show')).to.equal(1);
  });
});
