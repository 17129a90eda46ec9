import { expect } from 'chai';
import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { RudpError } from '../../rudp/errors.ts';
import { resolveOptions, type EndpointOptions } from '../../rudp/options.ts';

const resolve = (options: Partial<EndpointOptions> = {}) =>
  resolveOptions({
    name: 'n',
    incarnation: 1,
    protection: createChecksumProtection(),
    random: () => 0,
    ...options,
  });

describe('options', () => {
  it('have a default for everything but name, incarnation, protection and randomness', () => {
    expect(resolve()).to.include({
      congestion: 'bbr',
      idleTimeoutMs: 10_000,
      maxDatagramBytes: 65_507,
      maxChannels: 4096,
      sendBufferBytes: 64 * 1024 * 1024,
      maxMessageBytes: 16 * 1024 * 1024,
      supersede: 'address',
    });
  });

  it('are taken at their bounds and refused beyond them', () => {
    const bounds: [keyof EndpointOptions, number, number][] = [
      ['maxDatagramBytes', 1200, 65_507],
      ['maxMessageBytes', 0, 16 * 1024 * 1024],
      ['incarnation', 0, Number.MAX_SAFE_INTEGER],
      ['maxChannels', 1, 1_000_000],
      ['idleTimeoutMs', 1, 3_600_000],
      ['keyUpdatePackets', 1, 2 ** 23],
      ['keyUpdateMs', 1, 3_600_000],
      ['maxHalfOpen', 1, 1_000_000],
      ['maxAckRanges', 2, 65_536],
    ];
    for (const [key, least, greatest] of bounds) {
      expect(resolve({ [key]: least })[key]).to.equal(least);
      expect(resolve({ [key]: greatest })[key]).to.equal(greatest);
      for (const value of [least - 1, greatest + 1, NaN]) {
        expect(() => resolve({ [key]: value }), `${key} ${value}`).to.throw(RudpError, key);
      }
    }
  });

  it('name a peer in at most 64 bytes', () => {
    expect(resolve({ name: 'ü'.repeat(32) }).name.length).to.equal(32);
    expect(() => resolve({ name: 'ü'.repeat(32) + 'x' })).to.throw(RudpError, '65 bytes');
  });

  it('are refused if a message fits no window, or an incarnation is no integer', () => {
    expect(() => resolve({ maxMessageBytes: 1000, connectionWindowBytes: 1063 })).to.throw('1064');
    resolve({ maxMessageBytes: 1000, connectionWindowBytes: 1064 });
    expect(() => resolve({ incarnation: 0.5 })).to.throw('integer');
    expect(() => resolve({ congestion: 'vegas' as never })).to.throw('vegas');
  });

  it('take every interface for an Ethernet unless the shell knows better', () => {
    expect(resolve().interfaceDatagramBytes('10.0.0.1:5')).to.equal(1_472);
  });
});
