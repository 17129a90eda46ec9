import { expect } from 'chai';
import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { CLIENT, SERVER, SimulatedPair } from './simulated_pair.ts';

describe('strangers', () => {
  it('are told of once a second at most, at both ends', () => {
    const foreign = createChecksumProtection(7);
    const pair = new SimulatedPair(1, {}, { client: { protection: foreign } });
    for (let dial = 0; dial < 10; dial += 1) pair.client.endpoint.connect(SERVER, pair.now);
    // Dials repeat their hellos for 5 s, the first of them answered by a cookie.
    pair.runFor(4_990);
    expect(pair.server.of('stranger').length).to.equal(5);
    expect(pair.server.of('stranger')[0]).to.include({ address: CLIENT });
    expect(pair.server.of('connected').length).to.equal(0);
    expect(pair.server.endpoint.nextTimeout()).to.equal(undefined);
    pair.runFor(1_000);
    expect(pair.client.of('stranger').length).to.equal(1);
    const [first] = pair.client.of('closed');
    expect(first?.reason).to.include('does not answer to our key');
  });
});
