import { expect } from 'chai';
import {
  CLIENTS_PER_REGISTRATION,
  firstClientNumber,
  REGISTRATIONS_PER_EPOCH,
} from '../../protocol/client_numbers.ts';

describe('the numbers of applications', () => {
  it('leave every registration its own range, in every epoch', () => {
    const firsts = [
      firstClientNumber(1, 0),
      firstClientNumber(1, 1),
      firstClientNumber(1, REGISTRATIONS_PER_EPOCH - 1),
      firstClientNumber(2, 0),
      firstClientNumber(2, 1),
    ];
    for (const [index, first] of firsts.entries()) {
      if (index === 0) continue;
      expect(first - (firsts[index - 1] ?? 0)).to.be.at.least(CLIENTS_PER_REGISTRATION);
    }
  });

  it('stay whole numbers in the last registration of the last epoch, and never begin anew', () => {
    const last = firstClientNumber(2 ** 21, REGISTRATIONS_PER_EPOCH - 1);
    expect(last + CLIENTS_PER_REGISTRATION - 1).to.equal(Number.MAX_SAFE_INTEGER);
    expect(() => firstClientNumber(2 ** 21 + 1, 0)).to.throw('beyond the last');
    expect(() => firstClientNumber(1, REGISTRATIONS_PER_EPOCH)).to.throw('so many registrations');
  });
});
