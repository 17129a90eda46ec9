import { expect } from 'chai';
import { networkUnavailable } from '../../../cli/cluster_network.ts';
import {
  possible,
  type Context,
  type Engine,
  type Experiment,
  type Step,
} from '../../../cli/experiment/experiment.ts';
import { LOSS_EXPERIMENT } from '../../../cli/experiment/link_sweep.ts';
import { Progress } from '../../../cli/experiment/progress.ts';
import { reportAsHtml } from '../../../cli/experiment/report.ts';
import { runExperiments } from '../../../cli/experiment/run_experiments.ts';
import { SURVIVAL_EXPERIMENT } from '../../../cli/experiment/survival.ts';
import { TIMELINE_EXPERIMENT } from '../../../cli/experiment/timeline.ts';
import type { Profile } from '../../../netem/fault.ts';
import { profileNamed } from '../../../netem/profile_file.ts';

const context = (signal = new AbortController().signal): Context => ({
  seed: 1,
  quick: true,
  engine: undefined,
  scenario: 'kills',
  lacking: () => undefined,
  signal,
});

/** An experiment of these steps, whose section is how many of them were done. */
const experiment = (name: string, steps: readonly (() => void)[], reason?: string): Experiment => ({
  name,
  title: `title of ${name}`,
  unavailable: () => reason,
  plan: () => {
    let done = 0;
    return {
      steps: steps.map((step, index) => ({
        label: `step ${index + 1}`,
        seconds: 10,
        run: () => {
          step();
          done += 1;
          return Promise.resolve();
        },
      })),
      section: () => ({ says: [`did ${done}`], plots: [], tables: [], data: done }),
    };
  },
});

const nothing = (): void => undefined;
const fails = (): void => {
  throw new Error('no luck');
};

describe('experiments', () => {
  it('go on after a step that fails, and without those that cannot be run; the report says so', async () => {
    const lines: string[] = [];
    const outcome = await runExperiments(
      [
        experiment('a', [fails, nothing]),
        experiment('b', [nothing], 'no root'),
        experiment('c', [nothing]),
      ],
      context(),
      (line) => lines.push(line),
    );
    expect(outcome.partial).to.equal(undefined);
    expect(outcome.failed).to.equal(true);
    expect(outcome.sections.map(({ data, missing }) => [data, missing])).to.deep.equal([
      [1, 'Not whole: step 1: no luck.'],
      [[], 'Left out: no root.'],
      [1, undefined],
    ]);
    expect(lines).to.include('b is left out: no root').and.include('  failed: no luck');
    expect(lines[1]).to.equal('[1/3] a: step 1; about 30 s left');
  });

  it('are a partial report when they are interrupted', async () => {
    const controller = new AbortController();
    const interrupt = (): void => {
      controller.abort();
      fails();
    };
    const { sections, partial } = await runExperiments(
      [experiment('a', [nothing, interrupt, nothing]), experiment('c', [nothing])],
      context(controller.signal),
      nothing,
    );
    expect(partial).to.equal('This report is partial: it was interrupted after 1 of 4 steps.');
    expect(sections.map(({ missing }) => missing)).to.deep.equal([
      'Not whole: interrupted after 1 of 3 steps.',
      'Not whole: interrupted after 0 of 1 steps.',
    ]);
    const page = reportAsHtml({ facts: [], sections, partial, dataFile: 'report.json' });
    expect(page)
      .to.contain('This report is partial')
      .and.contain('did 1')
      .and.contain('title of c');
  });

  it('say of an engine that they do not have what it cannot do', () => {
    const reasons = (each: Experiment) =>
      ([undefined, 'relay', 'tc', 'sim'] as (Engine | undefined)[]).map((engine) =>
        each.unavailable(engine),
      );
    const [none, relay, tc, sim] = reasons(SURVIVAL_EXPERIMENT);
    expect([none, relay, sim]).to.deep.equal([undefined, undefined, undefined]);
    // Who is root, and has the tools, can have it.
    if (networkUnavailable() === undefined) expect(tc).to.equal(undefined);
    else expect(tc).to.match(/network namespace for each node: it needs/);
    expect(TIMELINE_EXPERIMENT.unavailable('sim')).to.match(/the simulator runs no processes/);
    for (const reason of reasons(LOSS_EXPERIMENT).slice(1)) {
      expect(reason).to.match(/leave --engine out/);
    }
  });

  it('go without the profiles that the engine cannot have, and say which and why', async () => {
    const lacking = ({ name }: Profile) => (name === 'lossy' ? undefined : 'no sch_netem');
    const profiles = ['wifi', 'lossy', '3g'].map((name) => profileNamed(name));
    const some = possible(profiles, lacking);
    expect(some.profiles.map(({ name }) => name)).to.deep.equal(['lossy']);
    expect(some.leftOut).to.deep.equal(['wifi, 3g: no sch_netem']);
    const without = (each: Experiment, steps: Step[]): Experiment => ({
      ...each,
      plan: (given) => ({ ...each.plan(given), steps, leftOut: some.leftOut }),
    });
    const [done, idle] = [experiment('a', []), experiment('b', [])];
    const step = { label: '', seconds: 1, run: () => Promise.resolve() };
    const lines: string[] = [];
    const both = [without(done, [step]), without(idle, [])];
    const outcome = await runExperiments(both, context(), (line) => lines.push(line));
    expect(outcome.sections.map(({ missing }) => missing)).to.deep.equal([
      'Not whole: wifi, 3g: no sch_netem.',
      'Left out: wifi, 3g: no sch_netem.',
    ]);
    expect(outcome.failed, 'a has done what can be done').to.equal(false);
    expect(lines[0]).to.equal('a is without wifi, 3g: no sch_netem');
    const none = await runExperiments([without(idle, [])], context(), nothing);
    expect(none.failed, 'nothing was done').to.equal(true);
  });

  it('tell how long they will take, from how long they took', () => {
    const steps = [{ seconds: 10 }, { seconds: 10 }, { seconds: 200 }];
    const progress = new Progress(steps);
    expect(progress.line('x', 'y')).to.equal('[1/3] x: y; about 4 min left');
    progress.take({ seconds: 10 }, 20);
    progress.take({ seconds: 10 }, 20);
    expect(progress.leftSeconds).to.equal(400);
    expect(progress.line('x', 'z')).to.equal('[3/3] x: z; about 7 min left');
  });
});
