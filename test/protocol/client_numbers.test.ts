import { expect } from 'chai';
import { CLIENTS_PER_REGISTRATION, firstClientNumber } from '../../protocol/client_numbers.ts';

describe('the numbers of applications', () => {
  it('leave every registration its own range, in every epoch', () => {
    const firsts = [
      firstClientNumber(0, 0),
      firstClientNumber(0, 1),
      firstClientNumber(0, 2 ** 14 - 1),
      firstClientNumber(1, 0),
      firstClientNumber(1, 1),
    ];
    for (const [index, first] of firsts.entries()) {
      if (index === 0) continue;
      expect(first - (firsts[index - 1] ?? 0)).to.be.at.least(CLIENTS_PER_REGISTRATION);
    }
  });

  it('stay whole numbers in the last registration of the last epoch, and begin anew after it', () => {
    const last = firstClientNumber(2 ** 15 - 1, 2 ** 14 - 1) + CLIENTS_PER_REGISTRATION - 1;
    expect(last).to.equal(Number.MAX_SAFE_INTEGER);
    expect(firstClientNumber(2 ** 15, 0)).to.equal(firstClientNumber(0, 0));
  });
});
