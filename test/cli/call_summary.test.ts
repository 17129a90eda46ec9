import { expect } from 'chai';
import {
  callTable,
  durabilityVerdict,
  percentile,
  readsLine,
  sideBySide,
  summarise,
} from '../../cli/call_summary.ts';
import { callsOf, recordOf } from './records.ts';

describe('percentile', () => {
  it('is the nearest rank, from the first to the last value', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(percentile(hundred, 50)).to.equal(50);
    expect(percentile(hundred, 99)).to.equal(99);
    expect(percentile(hundred, 100)).to.equal(100);
    expect(percentile([7], 1)).to.equal(7);
    expect(percentile([1, 2], 50)).to.equal(1);
    expect(percentile([1, 2], 51)).to.equal(2);
  });

  it('of nothing is undefined', () => {
    expect(percentile([], 50)).to.equal(undefined);
  });
});

describe('summarise', () => {
  it('sorts latencies by call and leaves out calls that failed', () => {
    const failed = recordOf({ command: 'open', ok: true, error: 'EINVAL', endNs: 9_000_000_000n });
    const { calls } = summarise([...callsOf('open', 3, 1, 2), failed, ...callsOf('close', 5)]);
    expect(calls.open).to.deep.equal({ count: 3, p50Ns: 2e6, p99Ns: 3e6 });
    expect(calls.close.count).to.equal(1);
    expect(calls.write).to.deep.equal({ count: 0, p50Ns: undefined, p99Ns: undefined });
  });

  it('counts reads by where they were served from', () => {
    const sources = ['local', 'peer', 'peer', 'disk'] as const;
    const summary = summarise(sources.map((servedFrom) => recordOf({ servedFrom })));
    expect(summary.reads).to.deep.equal({ local: 1, peer: 2, server: 0, disk: 1 });
    expect(readsLine(summary)).to.equal(
      'reads served from: local memory 1, peer memory 2, server memory 0, disk 1',
    );
  });

  it('has a line for each call in its tables', () => {
    const summary = summarise([...callsOf('open', 0.5), ...callsOf('read', 1.25, 20)]);
    expect(callTable(summary)).to.deep.equal([
      'call   count       p50       p99',
      'open       1  0.500 ms  0.500 ms',
      'read       2   1.25 ms   20.0 ms',
      'write      0         –         –',
      'close      0         –         –',
    ]);
    expect(sideBySide(summary, summarise(callsOf('open', 200)))).to.include(
      'read     2/0   1.25 ms        –   20.0 ms        –',
    );
  });
});

describe('durabilityVerdict', () => {
  const verdict = (...copies: number[]) =>
    durabilityVerdict(
      summarise(copies.map((each) => recordOf({ command: 'write', copies: each }))),
    );

  it('is yes only if every acknowledged write was in two memories or on the disk', () => {
    expect(verdict(2, 3).safe).to.equal(true);
    expect(verdict(2, 3).line).to.equal(
      'every dirty file was on two nodes when its write was acknowledged: yes (2 writes)',
    );
    expect(verdict(2, 0).line).to.match(/1 write; 1 write went to the disk instead/);
    expect(verdict(2, 1).safe).to.equal(false);
    expect(verdict(2, 1).line).to.match(/: no \(1 write .* single copy/);
  });

  it('claims nothing where nothing was written', () => {
    expect(verdict().line).to.equal('no file was written');
  });
});
