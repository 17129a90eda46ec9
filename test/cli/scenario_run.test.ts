import { expect } from 'chai';
import { planScenario, runScenario, type ControlledCluster } from '../../cli/scenario_run.ts';
import { parseScenario } from '../../netem/scenario_file.ts';
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
});
