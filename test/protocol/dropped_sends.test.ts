import { expect } from 'chai';
import { DROPPED_INTERVAL_MS, DroppedSends } from '../../protocol/dropped_sends.ts';

describe('dropped messages', () => {
  it('are told at once, then once in an interval with all that were dropped in it', () => {
    const dropped = new DroppedSends();
    expect(dropped.add('n1', 'data', 5)).to.match(/^1 messages dropped, the last data to n1/);
    expect(dropped.add('n1', 'data', 5)).to.equal(undefined);
    expect(dropped.add('n1', 'data', 5 + DROPPED_INTERVAL_MS - 1)).to.equal(undefined);
    expect(dropped.add('n2', 'grant', 5 + DROPPED_INTERVAL_MS)).to.match(/^3 .* grant to n2/);
  });
});
