import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { planScenario, runScenario, type ControlledCluster } from '../../cli/scenario_run.ts';
import type { AgentLink } from '../../netem/agent_link.ts';
import type { Dial } from '../../netem/holder.ts';
import { parseScenario } from '../../netem/scenario_file.ts';
import { FsError } from '../../protocol/errors.ts';
import { FakeAgent } from '../netem/fake_agent.ts';

/** Less than the patience with a node that does not answer, and far more than the steps take. */
const LATE_MS = 1000;

describe('a scenario that is carried out', () => {
  it('is in time while a node stands still, which gets the faults and their end when it goes on', async () => {
    const agents = { n1: new FakeAgent(), n2: new FakeAgent() };
    const { answer } = agents.n1;
    const done: string[] = [];
    const goOn = (): Promise<void> => {
      agents.n1.answer = answer;
      agents.n1.answerAll();
      return Promise.resolve();
    };
    const note = (what: string) => (node: string) => {
      done.push(`${what} ${node}`);
      return Promise.resolve();
    };
    const startMs = performance.now();
    let continuedMs = 0;
    const cluster: ControlledCluster = {
      nodes: ['n1', 'n2'].map((name) => ({ name, address: `${name}:7000` })),
      engine: 'relay',
      dial: (node) => Promise.resolve(agents[node as 'n1' | 'n2'].dial(node)),
      leaseMs: undefined,
      control: {
        kill: note('kill'),
        restart: note('restart'),
        pause: (node) => {
          agents.n1.answer = () => undefined;
          return note('pause')(node);
        },
        continue: (node) => {
          continuedMs = performance.now() - startMs;
          done.push(`n2 has ${agents.n2.count('clear')} ends`);
          return note('continue')(node).then(goOn);
        },
        close: goOn,
      },
    };
    const scenario = parseScenario(
      `
about: a test
steps:
  - { at: 0s, pause: n1 }
  - { at: 10ms, apply: dc }
  - { at: 10ms, partition: 'n1 | n2', for: 100ms }
  - { at: 50ms, clear: profiles }
  - { at: 200ms, continue: n1 }
end: 250ms
`,
      'test.yaml',
    );
    const steps = planScenario(scenario, cluster.nodes, 1, 'id');
    const told: string[] = [];
    const tell = (line: string) => told.push(line);
    await runScenario(scenario, steps, { cluster, tell }, new AbortController().signal);
    expect(continuedMs).to.be.lessThan(LATE_MS);
    expect(done).to.deep.equal(['pause n1', 'n2 has 1 ends', 'continue n1']);
    const ends = (agent: FakeAgent) =>
      agent.asked.flatMap((each) => (each.do === 'clear' ? [each.what] : []));
    const leases = agents.n2.asked.flatMap((each) => (each.do === 'hold' ? [each.leaseMs] : []));
    expect(Math.min(...leases), 'the cut is over in time').to.be.at.most(100);
    const both = [{ id: 'id.2' }, { id: 'id.3' }];
    expect(ends(agents.n1)).to.have.deep.members(both);
    expect(ends(agents.n2)).to.have.deep.members(both);
  });

  const nothing = (): Promise<void> => Promise.resolve();
  const clusterOf = (dial: Dial): ControlledCluster => ({
    nodes: ['n1', 'n2'].map((name) => ({ name, address: `${name}:7000` })),
    engine: 'tc',
    dial,
    leaseMs: undefined,
    control: { kill: nothing, restart: nothing, pause: nothing, continue: nothing, close: nothing },
  });

  /** What becomes of a cut and a profile for a moment. */
  const outcomeOf = async (cluster: ControlledCluster, signal: AbortSignal): Promise<string> => {
    const text = `
about: a test
steps:
  - { at: 0s, partition: 'n1 | n2', for: 20ms }
  - { at: 10ms, apply: lossy, for: 20ms }
end: 50ms
`;
    const scenario = parseScenario(text, 'test.yaml');
    const steps = planScenario(scenario, cluster.nodes, 1, 'id');
    const surroundings = { cluster, tell: () => undefined };
    return runScenario(scenario, steps, surroundings, signal).then(() => 'over', String);
  };

  it('fails after its end if a node has refused a fault, which it names with the node and the reason', async () => {
    const agents = { n1: new FakeAgent(), n2: new FakeAgent() };
    const { answer } = agents.n2;
    agents.n2.answer = (request) =>
      request.do === 'hold' && request.setting.kind === 'profile'
        ? { error: 'the engine tc needs nft' }
        : answer(request);
    const cluster = clusterOf((node) => Promise.resolve(agents[node as 'n1'].dial(node)));
    const said = await outcomeOf(cluster, new AbortController().signal);
    expect(said).to.match(
      /^FsError: "apply lossy[^"]*" has not happened at n2: the engine tc needs nft$/,
    );
    expect(agents.n1.count('clear'), 'it was carried out to its end').to.equal(2);
  });

  it('does not fail for a node that was not reached, as those are that it has killed', async () => {
    const agent = new FakeAgent();
    const cluster = clusterOf((node) =>
      node === 'n1'
        ? Promise.resolve(agent.dial(node))
        : Promise.reject(new FsError('ECONNLOST', 'no agent answers')),
    );
    expect(await outcomeOf(cluster, new AbortController().signal)).to.equal('over');
  });

  it('does not wait for an agent when it is interrupted, and lets go of one that comes later', async () => {
    const agents = { n1: new FakeAgent(), n2: new FakeAgent() };
    let come: (link: AgentLink) => void = () => undefined;
    const late = new Promise<AgentLink>((resolve) => (come = resolve));
    const cluster = clusterOf((node) =>
      node === 'n1' ? Promise.resolve(agents.n1.dial(node)) : late,
    );
    const stop = new AbortController();
    const ended = outcomeOf(cluster, stop.signal);
    await nextTurn();
    stop.abort(new Error('interrupted'));
    expect(await ended).to.equal('Error: interrupted');
    const link = agents.n2.dial('n2');
    come(link);
    // Bounded by mocha.
    while (!link.lost) await nextTurn();
    expect(agents.n2.asked).to.deep.equal([]);
  });
});
