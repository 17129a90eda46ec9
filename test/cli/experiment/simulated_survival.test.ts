import { expect } from 'chai';
import { survivalOfSeeds } from '../../../cli/experiment/simulated_survival.ts';
import type { SimulatedSeed } from '../../../cli/experiment/simulator.ts';
import { survivalTables } from '../../../cli/experiment/survival_figures.ts';
import { profileNamed } from '../../../netem/profile_file.ts';

const seed = (
  number: number,
  writesMs: number[],
  change: Partial<SimulatedSeed['survival']> = {},
  failure?: string,
): SimulatedSeed => ({
  seed: number,
  ...(failure === undefined ? {} : { failure }),
  operations: 10,
  survival: {
    leaseMs: 520,
    kills: 4,
    writesMs,
    lost: 0,
    linearizable: true,
    longestWaitMs: number,
    ...change,
  },
});

describe('survival of simulated seeds', () => {
  const profile = profileNamed('wifi-bad');

  it('is the sum of all runs, with percentiles of all their writes', () => {
    const found = survivalOfSeeds(profile, [seed(7, [1, 2, 3]), seed(8, [100])]);
    expect(found).to.deep.equal({
      profile: 'wifi-bad',
      leaseMs: 520,
      rttMs: 50,
      seeds: 2,
      kills: 8,
      operations: 20,
      acknowledged: 4,
      lost: 0,
      linearizable: true,
      verdict: '',
      writeP50Ms: 2,
      writeP99Ms: 100,
      longestWaitMs: 8,
    });
  });

  it('names each seed that failed, and the command that replays it', () => {
    const lost = seed(9, [1], { lost: 2, linearizable: false }, 'file 3: the disk lacks it');
    const found = survivalOfSeeds(profile, [seed(7, [1]), lost]);
    expect(found).to.include({ lost: 2, linearizable: false });
    expect(found.verdict).to.match(
      /^seed 9: file 3: the disk lacks it\n {2}replay: node .*sim\/main\.ts --survival --profile wifi-bad --seed 9 --trace$/,
    );
  });

  it('is not called linearizable where a run broke off before that was judged', () => {
    const broken = seed(9, [1], { linearizable: undefined }, 'file 3 has 2 writers');
    const found = survivalOfSeeds(profile, [seed(7, [1]), broken]);
    expect(found.linearizable).to.equal(undefined);
    const [table] = survivalTables([found]);
    expect(table?.rows[0]).to.include('not judged').and.not.include('yes');
  });
});
