import { expect } from 'chai';
import type { NetemCluster } from '../../cli/netem_cluster.ts';
import { clearAt, reachAll } from '../../cli/netem_reached.ts';
import { FakeAgent } from '../netem/fake_agent.ts';

describe('the agents that are reached', () => {
  const NAMES = ['n1', 'n2', 'n3'] as const;

  it('clear what they hold, whatever becomes of one of them', async () => {
    const agents = { n1: new FakeAgent(), n2: new FakeAgent(), n3: new FakeAgent() };
    for (const [name, agent] of Object.entries(agents)) {
      agent.answer = ({ do: what }) =>
        what === 'show'
          ? { engine: 'relay', seeded: true, settings: [] }
          : { cleared: [`dc at ${name}`] };
    }
    const cluster: NetemCluster = {
      nodes: NAMES.map((name) => ({ name, address: `${name}:7000` })),
      engine: 'relay',
      dial: (node) => Promise.resolve(agents[node as 'n1'].dial(node)),
      leaseMs: undefined,
      control: undefined,
    };
    const found = await reachAll([{ cluster, names: NAMES }]);
    expect(found.missed).to.deep.equal([]);
    agents.n1.answer = () => ({ error: 'tc failed' });
    agents.n2.answer = () => {
      agents.n2.hangUp();
      return undefined;
    };
    const { labels, missed } = await clearAt(found.reached, 'all');
    expect([...labels]).to.deep.equal(['dc at n3']);
    expect(missed).to.have.members([
      'n1 has not cleared: tc failed',
      'n2 has not cleared: its agent is lost: it closed the connection',
    ]);
    for (const { link } of found.reached) link.close();
  });
});
