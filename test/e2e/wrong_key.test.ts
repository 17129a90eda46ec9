import { expect } from 'chai';
import { connect } from '../../applib/index.ts';
import { RudpEndpoint } from '../../rudp/index.ts';
import { codeOf, get, HOST, KEY, LocalCluster, put } from './local_cluster.ts';

const ATTEMPTS = 5;

describe('somebody without the key of the cluster', () => {
  let cluster: LocalCluster;

  before(async () => {
    cluster = await LocalCluster.start({ cachers: 1 });
  });

  after(async () => {
    await cluster.close();
  });

  it('gets nothing from any daemon, whose log tells of it once a second at most', async () => {
    const begun = performance.now();
    const ports = [cluster.server.address.port, cluster.cachers.get('n1')?.address.port ?? 0];
    for (const wrong of [{ key: new Uint8Array(32) }, { insecure: true }]) {
      for (const port of ports) {
        const server = `${HOST}:${port}`;
        const attempts = Array.from({ length: ATTEMPTS }, () =>
          codeOf(connect({ server, connectTimeoutMs: 200, ...wrong })),
        );
        for (const code of await Promise.all(attempts)) {
          expect(code).to.be.oneOf(['ECONNLOST', 'ETIMEDOUT']);
        }
      }
    }
    const seconds = Math.ceil((performance.now() - begun) / 1000);
    for (const name of ['server', 'n1']) {
      const told = cluster.lines.filter(
        (each) => each.name === name && /is no member/.test(each.msg),
      );
      expect(told.length, name).to.be.within(1, seconds);
    }
    await put(await cluster.at('n1'), 1, 'for members');
    expect(await get(await cluster.direct(), 1, 11)).to.equal('for members');
  });

  it('gets in during a change of keys, if it has the old key or the new', async () => {
    const [first, second] = [KEY, new Uint8Array(32).fill(1)];
    const endpoint = await RudpEndpoint.bind({ keys: [second, first] });
    for (const key of [first, second]) {
      const member = await RudpEndpoint.bind({ key });
      await member.connect(HOST, endpoint.port);
      await member.close();
    }
    await endpoint.close();
  });
});
