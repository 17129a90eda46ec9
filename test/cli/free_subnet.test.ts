import { expect } from 'chai';
import { freeSubnet } from '../../cli/free_subnet.ts';
import { FsError } from '../../protocol/errors.ts';

describe('freeSubnet', () => {
  it('takes the one at the start, and goes on from there, around the end of the range', () => {
    expect(freeSubnet([], 0)).to.equal('10.64.0');
    expect(freeSubnet([], 257)).to.equal('10.65.1');
    expect(freeSubnet(['10.65.1.0/24'], 257)).to.equal('10.65.2');
    expect(freeSubnet(['10.127.255.0/24'], 2 ** 14 - 1)).to.equal('10.64.0');
  });

  it('keeps out of routes that are wider, narrower, or to one host', () => {
    for (const route of ['10.64.0.0/16', '10.64.0.0/24', '10.64.0.128/25', '10.64.0.7']) {
      const found = freeSubnet(['default', route], 0);
      expect(found, route).to.equal(route.endsWith('/16') ? '10.65.0' : '10.64.1');
    }
    expect(freeSubnet(['10.63.0.0/16', '11.0.0.0/8'], 0)).to.equal('10.64.0');
  });

  it('goes to the next range where one is full, and says so where all are', () => {
    expect(freeSubnet(['10.0.0.0/8'], 3)).to.equal('172.16.3');
    expect(freeSubnet(['10.64.0.0/10', '172.0.0.0/8'], 300)).to.equal('192.168.44');
    const all = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];
    expect(() => freeSubnet(all, 0)).to.throw(FsError, /no subnet is free .* 192\.168\.0\.0\/16/);
  });

  it('takes two halves of all there is for the default route, which they stand for', () => {
    expect(freeSubnet(['0.0.0.0/1', '128.0.0.0/1', '0.0.0.0/0'], 5)).to.equal('10.64.5');
  });

  it('does not guess at what is no route', () => {
    expect(() => freeSubnet(['10.0.0/8'], 0)).to.throw(FsError, /"10.0.0\/8" is no IPv4 prefix/);
  });
});
