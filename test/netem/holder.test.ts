import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type { AgentLink } from '../../netem/agent_link.ts';
import { Holder } from '../../netem/holder.ts';
import type { Plan } from '../../netem/plan.ts';
import type { Setting } from '../../netem/setting.ts';
import { FsError } from '../../protocol/errors.ts';
import { FakeAgent } from './fake_agent.ts';

/** So short that a test is over at once, and so long that an answer in memory comes before. */
const TIMES = { renewalMs: 5, patienceMs: 30, firstPatienceMs: 10_000 };
const LEASE_MS = 1000;

const settingOf = (node: string): Setting => ({
  id: `id-${node}`,
  kind: 'profile',
  label: node,
  seed: 1,
  rules: [],
});

const start = (times = TIMES) => {
  const nodes = ['n1', 'n2'] as const;
  const agents = { n1: new FakeAgent(), n2: new FakeAgent() };
  const plan: Plan = new Map(nodes.map((node) => [node, settingOf(node)]));
  const down = new Set<string>();
  const holder = new Holder(
    plan,
    (node) =>
      down.has(node)
        ? Promise.reject(new FsError('ECONNLOST', `no ${node}`))
        : Promise.resolve(agents[node as 'n1' | 'n2'].dial(node)),
    times,
  );
  return { holder, down, ...agents };
};

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await nextTurn();
};

describe('whoever holds a plan', () => {
  it('gives every node its own setting and lease', async () => {
    const { holder, n1, n2 } = start();
    expect(await holder.hold(LEASE_MS)).to.deep.equal({ missing: [], cleared: false });
    for (const [node, agent] of Object.entries({ n1, n2 })) {
      expect(agent.asked).to.have.length(1);
      expect(agent.asked[0]).to.deep.include({ setting: settingOf(node), leaseMs: LEASE_MS });
    }
    holder.close();
  });

  it('says who has not taken it, in its own words, while the others have', async () => {
    const { holder, down, n1, n2 } = start();
    n1.answer = () => ({ error: 'no sch_netem' });
    down.add('n2');
    const { missing } = await holder.hold(LEASE_MS);
    expect(missing).to.have.deep.members([
      { node: 'n1', reason: 'no sch_netem' },
      { node: 'n2', reason: 'no n2' },
    ]);
    down.delete('n2');
    expect((await holder.hold(LEASE_MS)).missing.map(({ node }) => node)).to.deep.equal(['n1']);
    expect(n2.count('hold')).to.equal(1);
    holder.close();
  });

  it('knows who has refused at all times: not who took it in the end, nor who was not reached', async () => {
    const { holder, down, n1, n2 } = start();
    const { answer } = n1;
    for (const agent of [n1, n2]) agent.answer = () => ({ error: 'no nft' });
    await holder.hold(LEASE_MS);
    n1.answer = answer;
    n2.hangUp();
    down.add('n2');
    await holder.hold(LEASE_MS);
    expect(holder.refused).to.deep.equal([{ node: 'n2', reason: 'no nft' }]);
    await holder.release();
    expect(holder.refused, 'it is known after the end').to.have.length(1);
    const never = start();
    never.down.add('n1');
    await never.holder.hold(LEASE_MS);
    expect(never.holder.refused).to.deep.equal([]);
    never.holder.close();
  });

  it('does not wait for a node to be reached when it is interrupted', async () => {
    const plan: Plan = new Map([['n1', settingOf('n1')]]);
    const holder = new Holder(plan, async (_, signal) => {
      await once(signal ?? new EventTarget(), 'abort');
      throw new FsError('ECONNLOST', 'interrupted');
    });
    const stop = new AbortController();
    const connected = holder.connect(stop.signal);
    stop.abort();
    await connected;
  });

  it('renews the others meanwhile if one does not answer, and does not ask that one twice', async () => {
    const { holder, n1, n2 } = start();
    n1.answer = () => undefined;
    const late = [{ node: 'n1', reason: 'it has not answered yet' }];
    expect((await holder.hold(LEASE_MS)).missing).to.deep.equal(late);
    expect((await holder.hold(LEASE_MS)).missing).to.deep.equal(late);
    expect([n1.count('hold'), n2.count('hold')]).to.deep.equal([1, 2]);
    holder.close();
  });

  it('begins with patience: a slow node has taken it in the end, and the quick one is renewed until then', async () => {
    const { holder, n1, n2 } = start();
    const answer = n1.answer;
    n1.answer = () => undefined;
    const begun = holder.begin(LEASE_MS);
    await until(() => n2.count('hold') > 1);
    n1.answer = answer;
    n1.answerAll();
    expect((await begun).missing).to.deep.equal([]);
    holder.close();
  });

  it('begins with patience, but not with a refusal, nor for longer than it is asked to', async () => {
    const { holder, n1, n2 } = start();
    n1.answer = () => ({ error: 'no' });
    expect((await holder.begin(LEASE_MS)).missing).to.deep.equal([{ node: 'n1', reason: 'no' }]);
    expect(n2.count('hold')).to.equal(1);
    n1.answer = () => undefined;
    const stop = new AbortController();
    const begun = holder.begin(LEASE_MS, stop.signal);
    await until(() => n2.count('hold') > 2);
    stop.abort();
    expect((await begun).missing).to.have.length(1);
    holder.close();
  });

  it('keeps it until it is interrupted, and takes it away then', async () => {
    const { holder, n1, n2 } = start();
    const stop = new AbortController();
    const kept = holder.keep(undefined, stop.signal);
    await until(() => n1.count('hold') > 2 && n2.count('hold') > 2);
    stop.abort();
    expect(await kept).to.equal('interrupted');
    for (const [node, { asked }] of Object.entries({ n1, n2 })) {
      expect(asked.at(-1)).to.deep.include({ do: 'clear', what: { id: `id-${node}` } });
    }
  });

  it('takes it away at once when it is interrupted, though one of them does not answer', async () => {
    const { holder, n1, n2 } = start({ ...TIMES, patienceMs: 60_000 });
    n1.answer = () => undefined;
    const stop = new AbortController();
    const kept = holder.keep(undefined, stop.signal);
    await until(() => n1.count('hold') > 0 && n2.count('hold') > 0);
    stop.abort();
    await until(() => n1.count('clear') === 1 && n2.count('clear') === 1);
    n1.hangUp();
    expect(await kept).to.equal('interrupted');
  });

  it('keeps it no longer than it is to, with leases that end with it', async () => {
    const { holder, n1 } = start();
    expect(await holder.keep(30, new AbortController().signal)).to.equal('over');
    const leases = n1.asked.flatMap((each) => (each.do === 'hold' ? [each.leaseMs] : []));
    expect(leases[0]).to.be.at.most(30);
    expect(leases).to.deep.equal(leases.toSorted((a, b) => b - a));
  });

  it('ends when another command has cleared it at one node, at the others too', async () => {
    const { holder, n1, n2 } = start();
    n2.answer = (request) => (request.do === 'hold' ? { outcome: 'cleared' } : { cleared: [] });
    expect(await holder.keep(undefined, new AbortController().signal)).to.equal('cleared');
    expect(n1.count('clear')).to.equal(1);
  });

  it('gives a node its setting again that comes back', async () => {
    const { holder, n1, n2 } = start();
    const stop = new AbortController();
    const kept = holder.keep(undefined, stop.signal);
    await until(() => n1.count('hold') > 0);
    const before = n1.count('hold');
    n1.hangUp();
    await until(() => n1.dials === 2 && n1.count('hold') > before);
    expect(n2.dials).to.equal(1);
    stop.abort();
    await kept;
  });

  it('lets go of a node that is reached after the end, or while it waits for the end at another', async () => {
    for (const end of ['close', 'release'] as const) {
      let reach: (link: AgentLink) => void = () => undefined;
      const dialled = new Promise<AgentLink>((resolve) => (reach = resolve));
      const agents = { n1: new FakeAgent(), n2: new FakeAgent() };
      const plan: Plan = new Map(['n1', 'n2'].map((node) => [node, settingOf(node)]));
      agents.n1.answer = ({ do: what }) => (what === 'hold' ? { outcome: 'new' } : undefined);
      const dial = (node: string) =>
        node === 'n1' ? Promise.resolve(agents.n1.dial(node)) : dialled;
      const holder = new Holder(plan, dial, { ...TIMES, patienceMs: 60_000 });
      const held = holder.hold(LEASE_MS);
      await until(() => agents.n1.count('hold') === 1);
      const ended = holder[end]();
      const link = agents.n2.dial('n2');
      reach(link);
      expect((await held).missing).to.deep.include({
        node: 'n2',
        reason: 'it was reached too late',
      });
      await until(() => link.lost);
      expect(agents.n2.asked).to.deep.equal([]);
      agents.n1.hangUp();
      await ended;
    }
  });
});
