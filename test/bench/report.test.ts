import { expect } from 'chai';
import type { Goal } from '../../bench/transports/goals.ts';
import {
  formatFigure,
  goalTable,
  linkTable,
  reached,
  type Result,
} from '../../bench/transports/report.ts';

const result = (run: number, peer: string, figures: Record<string, number>): Result => ({
  run,
  link: 'wan',
  peer,
  work: 'rr32',
  figures,
});

const GOAL: Goal = {
  link: 'wan',
  work: 'rr32',
  peer: 'rudp',
  figure: 'requestsPerSecond',
  than: 'kcp',
  atLeast: 1.2,
};

describe('the report of the benchmark of rudp', () => {
  it('compares within each run, and takes the median of the ratios', () => {
    const results = [
      result(1, 'rudp', { requestsPerSecond: 100 }),
      result(1, 'kcp', { requestsPerSecond: 50 }),
      result(2, 'rudp', { requestsPerSecond: 30 }),
      result(2, 'kcp', { requestsPerSecond: 30 }),
      result(3, 'rudp', { requestsPerSecond: 300 }),
      result(3, 'kcp', { requestsPerSecond: 100 }),
    ];
    expect(reached(results, GOAL)).to.equal(2);
  });

  it('says of each goal that was measured whether it is met, and nothing of the others', () => {
    const met = [
      result(1, 'rudp', { requestsPerSecond: 1300 }),
      result(1, 'kcp', { requestsPerSecond: 1000 }),
    ];
    const lines = goalTable(met).split('\n');
    expect(lines).to.have.length(3);
    expect(lines[2]).to.equal(
      '| wan | rudp | rr32, req/s | 1,300 | 1,000 | 1.30 | ≥ 1.20 × kcp | met |',
    );
    const missed = [...met, result(1, 'kcp', { requestsPerSecond: 1200 })];
    expect(goalTable(missed)).to.include('| **missed** |');
    expect(goalTable([result(1, 'rudp', { requestsPerSecond: 1300 })])).to.equal('');
  });

  it('judges a bound from above without another peer', () => {
    const fair = (unevenness: number): Result => ({
      ...result(1, 'rudp', { unevenness }),
      link: 'shared',
      work: 'fair',
    });
    expect(goalTable([fair(0.09)])).to.include('| ≤ 0.10 | met |');
    expect(goalTable([fair(0.1)])).to.include('| ≤ 0.10 | met |');
    expect(goalTable([fair(0.11)])).to.include('| ≤ 0.10 | **missed** |');
  });

  it('shows of a link a row a peer and only the columns that were measured', () => {
    const results = [
      result(1, 'rudp', { requestsPerSecond: 10, p99Ms: 3 }),
      result(2, 'rudp', { requestsPerSecond: 20, p99Ms: 5 }),
      result(1, 'kcp', {}),
    ];
    expect(linkTable(results, 'wan').split('\n')).to.eql([
      '| peer | rr32 req/s | p99 ms |',
      '| --- | ---: | ---: |',
      '| rudp | 15 | 4 |',
      '| kcp | – | – |',
    ]);
    expect(linkTable(results, 'lo')).to.equal('');
  });

  it('keeps the digits that count', () => {
    expect([0.0451, 3.14159, 31.4159, 314.159, 31415.9].map(formatFigure)).to.eql([
      '0.05',
      '3.14',
      '31.4',
      '314',
      '31,416',
    ]);
    expect(formatFigure(Number.NaN)).to.equal('–');
  });
});
