import { expect } from 'chai';
import { setCommand } from '../../netem/link/settings.ts';

describe('the settings of an IP link', () => {
  it('become one command, with what is given and nothing else', () => {
    const command = setCommand('ab', { delayMs: 0.25, loss: 0.2, rateMbit: 100, seed: 7 });
    expect(command).to.equal('set ab delay_ms=0.25 loss=0.2 rate_mbit=100 seed=7');
    expect(setCommand('both', {})).to.equal('set both');
  });

  it('are written without an exponent, which the link would not read as we mean it', () => {
    expect(setCommand('ba', { loss: 1e-7 })).to.equal('set ba loss=0.0000001');
    expect(setCommand('ba', { delayMs: 0, rateMbit: 1000 })).to.equal(
      'set ba delay_ms=0 rate_mbit=1000',
    );
  });

  it('out of their range are refused by name', () => {
    expect(() => setCommand('ab', { loss: 1.01 })).to.throw(RangeError, 'loss of a link is 1.01');
    expect(() => setCommand('ab', { delayMs: -1 })).to.throw(RangeError, 'must be 0 to 60000');
    expect(() => setCommand('ab', { queueMs: Number.NaN })).to.throw(RangeError, 'queueMs');
  });
});
