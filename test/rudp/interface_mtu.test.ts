import { expect } from 'chai';
import { interfaceDatagramBytes, parseRoutes, routeTo } from '../../rudp/interface_mtu.ts';

const HEADING = 'Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT';
/** A default route over eth0, 10.0.0.0/8 over eth1, 10.1.0.0/16 over tun0 twice, and one that is down. */
const TABLE = [
  HEADING,
  'eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0',
  'eth1 0000000A 00000000 0001 0 0 0 000000FF 0 0 0',
  'tun1 0000010A 00000000 0001 0 0 200 0000FFFF 0 0 0',
  'tun0 0000010A 00000000 0001 0 0 100 0000FFFF 1400 0 0',
  'tun2 0000010A 00000000 0000 0 0 0 00FFFFFF 0 0 0',
  '',
].join('\n');

describe('interface mtu', () => {
  it('is that of the route with the longest prefix, and of these of the one with the least metric', () => {
    const routes = parseRoutes(TABLE);
    expect(routeTo(routes, '8.8.8.8')?.name).to.equal('eth0');
    expect(routeTo(routes, '10.200.0.1')?.name).to.equal('eth1');
    expect(routeTo(routes, '10.1.0.1')).to.include({ name: 'tun0', mtu: 1400 });
    expect(routeTo(routes, '200.1.0.1')?.name).to.equal('eth0');
    expect(routeTo(routes, 'no address')).to.equal(undefined);
    expect(routeTo(parseRoutes(HEADING), '10.1.0.1')).to.equal(undefined);
  });

  it('is all that UDP carries towards this machine, and something sane elsewhere', () => {
    expect(interfaceDatagramBytes('127.0.0.1:4000')).to.equal(65_507);
    expect(interfaceDatagramBytes('127.9.9.9:4000')).to.equal(65_507);
    expect(interfaceDatagramBytes('192.0.2.1:4000')).to.be.within(1_200, 65_506);
    expect(interfaceDatagramBytes('no address')).to.equal(1_472);
  });
});
