import { expect } from 'chai';
import { UsageError } from '../../cli/exit_status.ts';
import { DEFAULT_LEASE_MS, leaseWarning } from '../../cli/lease_terms.ts';

describe('leaseWarning', () => {
  it('refuses a lease of less than two heartbeats, and says what would be right', () => {
    expect(() => leaseWarning(199, 100)).to.throw(
      UsageError,
      '--lease 199ms is too short for --heartbeat 100ms: expected at least 200ms, two heartbeats',
    );
    expect(leaseWarning(200, 100)).to.be.a('string');
  });

  it('warns of less than four', () => {
    expect(leaseWarning(399, 100)).to.match(/^--lease 399ms is short.* 400ms would be better$/);
    expect(leaseWarning(400, 100)).to.equal(undefined);
  });

  it('has nothing against the default', () => {
    expect(leaseWarning(DEFAULT_LEASE_MS, 100)).to.equal(undefined);
  });
});
