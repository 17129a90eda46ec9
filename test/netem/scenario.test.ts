import { expect } from 'chai';
import { bandsOf, checkScenario } from '../../netem/scenario.ts';
import { parseScenario, readScenario, scenarioNames } from '../../netem/scenario_file.ts';

const NODES = ['server', 'n1', 'n2', 'n3', 'n4'];

const scenario = (...steps: readonly string[]) =>
  parseScenario(
    `about: a test\nsteps:\n${steps.map((step) => `  - ${step}\n`).join('')}`,
    'f.yaml',
  );

/** "wifi at n1 1000-5000" for each band. */
const bands = (...steps: readonly string[]): string[] =>
  bandsOf(scenario(...steps)).map(({ label, fromMs, toMs }) => `${label} ${fromMs}-${toMs}`);

describe('a scenario', () => {
  it('is read from words and units', () => {
    const { steps, endMs } = scenario(
      '{ at: 500ms, apply: wifi, link: n1>n2, both: true, for: 2s }',
      '{ at: 1s, partition: "n1 | n2,server" }',
      '{ at: 2s, kill: n1 }',
    );
    expect(steps[0]).to.deep.include({
      do: 'apply',
      atMs: 500,
      forMs: 2000,
      target: { kind: 'link', from: 'n1', to: 'n2', both: true },
    });
    expect(steps[1]).to.deep.include({ groups: [['n1'], ['n2', 'server']], forMs: undefined });
    expect(endMs, 'a second after the last fault has ended').to.equal(3500);
  });

  it('names line, value and what would be right where it is not', () => {
    for (const [step, message] of [
      ['{ at: 2s, apply: wify }', /^f\.yaml:3: steps\.0\.apply: .*"wify": expected one of dc, /],
      ['{ at: 2, kill: n1 }', /f\.yaml:3: steps\.0\.at: 2 is not right: expected a time with its/],
      ['{ kill: n1 }', /steps\.0\.at: it is missing: expected a time/],
      ['{ at: 2s, partition: "n1" }', /steps\.0\.partition: .*"n1": expected two groups/],
      ['{ at: 2s, kil: n1 }', /steps\.0: .*"kil"/],
      ['{ at: 2s }', /nothing is to be done: expected one of apply, partition/],
      ['{ at: 2s, kill: n1, pause: n2 }', /kill and pause in one step/],
      ['{ at: 2s, kill: n1, for: 1s }', /"for" with kill: expected it with apply or partition/],
      ['{ at: 2s, kill: n1, node: n2 }', /"node" with kill: expected it with apply only/],
      ['{ at: 2s, apply: wifi, both: true }', /"both" without "link"/],
      ['{ at: 2s, clear: everything }', /steps\.0\.clear: expected profiles or all/],
    ] as const) {
      expect(() => scenario(step), step).to.throw(message);
    }
    expect(() => parseScenario('about: [', 'f.yaml')).to.throw(/^f\.yaml is not YAML: .*line 1/);
  });

  it('is refused where a step cannot happen to these nodes', () => {
    for (const [steps, message] of [
      [['{ at: 1s, kill: n9 }'], /step 1 \(1s: kill n9\): .*"n9": expected one of server, n1/],
      [['{ at: 1s, restart: n1 }'], /step 1 .*n1 runs then, expected one that is down/],
      [['{ at: 1s, pause: n1 }', '{ at: 2s, pause: n1 }'], /step 2 .*n1 is paused then/],
      [['{ at: 2s, kill: n1 }', '{ at: 1s, restart: n1 }'], /step 2 .*comes after 2s/],
      [['{ at: 1s, apply: wifi, node: n7 }'], /step 1 .*no node "n7"/],
    ] as const) {
      expect(() => {
        checkScenario(scenario(...steps), NODES);
      }).to.throw(message);
    }
    checkScenario(
      scenario('{ at: 1s, pause: n1 }', '{ at: 2s, kill: n1 }', '{ at: 3s, restart: n1 }'),
      NODES,
    );
  });

  it('knows from when to when each fault lasts', () => {
    expect(
      bands(
        '{ at: 1s, apply: wifi, node: n1, for: 4s }',
        '{ at: 2s, partition: "n1 | n2" }',
        '{ at: 3s, pause: n3 }',
        '{ at: 4s, heal: partitions }',
        '{ at: 5s, kill: n3 }',
        '{ at: 6s, apply: 3g }',
        '{ at: 7s, restart: n3 }',
        '{ at: 8s, clear: all }',
      ),
    ).to.deep.equal([
      'wifi at n1 1000-5000',
      'cut n1 | n2 2000-4000',
      'n3 paused 3000-5000',
      'n3 down 5000-7000',
      '3g 6000-8000',
    ]);
    expect(bands('{ at: 1s, apply: wifi }'), 'without an end').to.deep.equal(['wifi 1000-2000']);
    expect(
      bands('{ at: 1s, partition: "n1 | n2" }', '{ at: 3s, clear: profiles }'),
      'partitions stay',
    ).to.deep.equal(['cut n1 | n2 1000-4000']);
  });

  it('comes with coopfs in some forms, each of which can happen to the default cluster', () => {
    expect(scenarioNames()).to.include.members(['kills', 'split']);
    for (const name of scenarioNames()) checkScenario(readScenario(name), NODES);
    expect(() => readScenario('killz')).to.throw(
      /no scenario: .*killz.*expected a file, or .*kills/,
    );
  });
});
