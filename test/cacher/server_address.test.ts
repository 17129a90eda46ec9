import { expect } from 'chai';
import { resolveServer, sourceAddress } from '../../cacher/server_address.ts';

describe('the address of the file server', () => {
  it('comes from its name, or is its name', async () => {
    expect(await resolveServer({ host: 'localhost', port: 7000 })).to.equal('127.0.0.1:7000');
    expect(await resolveServer({ host: '127.0.0.9', port: 1 })).to.equal('127.0.0.9:1');
  });

  it('tells by which address of this machine it is reached', async () => {
    expect(await sourceAddress('127.0.0.1:7000')).to.equal('127.0.0.1');
    expect(await sourceAddress('255.255.255.255:7000')).to.equal(undefined);
  });
});
