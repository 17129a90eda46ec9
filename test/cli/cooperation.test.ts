import { expect } from 'chai';
import { summarise } from '../../cli/call_summary.ts';
import { cooperationSentence, percentMore } from '../../cli/cooperation.ts';
import { callsOf, recordOf } from './records.ts';

describe('cooperationSentence', () => {
  const reads = (ms: number) =>
    callsOf('read', ms).map((read) => ({ ...read, servedFrom: 'peer' as const }));

  it('tells gains, costs and what stayed the same from the medians', () => {
    const cached = summarise([...reads(0.5), ...callsOf('write', 3), ...callsOf('open', 1.05)]);
    const direct = summarise([...reads(1), ...callsOf('write', 2), ...callsOf('open', 1)]);
    expect(cooperationSentence(cached, direct)).to.equal(
      'Cooperation served 1 of 1 read from the memories of the nodes; ' +
        'it brought a median read 0.500 ms instead of 1.00 ms (−50 %); ' +
        'it cost a median write 3.00 ms instead of 2.00 ms (+50 %); open stayed within 10 %.',
    );
  });

  it('does not claim a gain that the figures do not show', () => {
    const slower = summarise([recordOf({ servedFrom: 'server', endNs: 2_000_000n })]);
    const sentence = cooperationSentence(slower, summarise([recordOf({ servedFrom: 'server' })]));
    expect(sentence).to.match(/^Cooperation served 0 of 1 read/);
    expect(sentence).to.include('it made no call faster at the median');
    expect(sentence).to.include('(+100 %)');
  });
});

describe('percentMore', () => {
  it('is in whole percent of the second', () => {
    expect(percentMore(150, 100)).to.equal(50);
    expect(percentMore(100, 150)).to.equal(-33);
  });
});
