import { expect } from 'chai';
import { codeOf, get, LocalCluster, put, until } from './local_cluster.ts';

describe('nodes that share files', () => {
  let cluster: LocalCluster;

  afterEach(async () => {
    await cluster.close();
  });

  it('see what applications without a cacher write, and are seen by them', async () => {
    cluster = await LocalCluster.start({ cachers: 3 });
    const direct = await cluster.direct();
    const [first, second] = [await cluster.at('n1'), await cluster.at('n2')];
    for (let round = 0; round < 5; round++) {
      await put(first, 1, `cacher ${round}`);
      expect(await get(direct, 1, 8)).to.equal(`cacher ${round}`);
      await put(direct, 1, `direct ${round}`);
      expect(await get(second, 1, 8), 'a copy from before').to.equal(`direct ${round}`);
      expect(await get(first, 1, 8), 'the owner before').to.equal(`direct ${round}`);
    }
  });

  it('reach the disk without a second cacher, and two memories as soon as there is one', async () => {
    cluster = await LocalCluster.start({ cachers: 1 });
    const fs = await cluster.at('n1');
    await using file = await fs.open(2, 'w');
    expect((await file.writeDetailed('alone')).copies).to.equal(0);
    expect((await fs.where(2)).state).to.not.equal('dirty');
    await cluster.addCacher('n2');
    expect((await file.writeDetailed(' paired')).copies).to.equal(2);
    expect(await get(await cluster.at('n2'), 2, 12)).to.equal('alone paired');
    await cluster.stopCacher('n2');
    expect((await file.writeDetailed(' alone again')).copies).to.equal(0);
    expect(await get(await cluster.direct(), 2, 24)).to.equal('alone paired alone again');
  });

  it('refuse a second writer under the policy "fail", on any node and without one', async () => {
    cluster = await LocalCluster.start({ openPolicy: 'fail' });
    const [first, second] = [await cluster.at('n1'), await cluster.at('n2')];
    const direct = await cluster.direct();
    const file = await first.open(3, 'w');
    expect(await codeOf(second.open(3, 'w'))).to.equal('EBUSY');
    expect(await codeOf((await cluster.at('n1')).open(3, 'w'))).to.equal('EBUSY');
    expect(await codeOf(direct.open(3, 'w'))).to.equal('EBUSY');
    expect(await get(second, 3, 1), 'readers are no writers').to.equal('.');
    await file.close();
    await put(direct, 3, 'x');
    await put(second, 3, 'y');
    expect(await get(first, 3, 1)).to.equal('y');
  });

  it('let a second writer wait under the policy "wait", until the first closes or is gone', async () => {
    cluster = await LocalCluster.start({ cachers: 3, openPolicy: 'wait' });
    const [first, second, third] = [
      await cluster.at('n1'),
      await cluster.at('n2'),
      await cluster.at('n3'),
    ];
    const events: string[] = [];
    const note = <T>(event: string, promise: Promise<T>): Promise<T> =>
      promise.then((value) => {
        events.push(event);
        return value;
      });
    const held = await first.open(3, 'w');
    const waiting = note('n2 opened', second.open(3, 'w'));
    // A round trip of the same node on the same way: by then the server has the open in its line.
    await second.where(3);
    const last = note('n3 opened', third.open(3, 'w'));
    await third.where(3);
    expect(events).to.deep.equal([]);
    await held.close();
    await waiting;
    expect(events).to.deep.equal(['n2 opened']);
    await second.close();
    await (await last).write('n3');
    expect(events).to.deep.equal(['n2 opened', 'n3 opened']);
    expect(await get(first, 3, 2)).to.equal('n3');
  });

  it('go on with less memory than one file, and with room for one only', async () => {
    for (const pages of [1, 8, 12]) {
      cluster = await LocalCluster.start({ cachers: 3, pages });
      const apps = [await cluster.at('n1'), await cluster.at('n2'), await cluster.at('n3')];
      for (let round = 0; round < 4; round++) {
        await Promise.all(
          apps.map((fs, index) => put(fs, 4 * round + index, `${pages}/${round}/${index}`)),
        );
        const texts = await Promise.all(
          apps.map((fs, index) => get(fs, 4 * round + ((index + 1) % 3), 8)),
        );
        const wanted = [1, 2, 0].map((index) => `${pages}/${round}/${index}`.padEnd(8, '.'));
        expect(texts).to.deep.equal(wanted);
      }
      if (pages !== 12) await cluster.close();
    }
  });

  it('keep a wish of one application apart from another that went away while it waited', async () => {
    cluster = await LocalCluster.start({ openPolicy: 'wait' });
    const [first, second] = [await cluster.at('n1'), await cluster.at('n2')];
    const held = await first.open(9, 'w');
    const gone = await cluster.at('n2');
    const never = codeOf(gone.open(9, 'w'));
    await gone.where(9);
    await gone.close();
    expect(await never).to.equal('ECONNLOST');
    let opened = false;
    const waiting = second.open(9, 'w').then((file) => {
      opened = true;
      return file;
    });
    await second.where(9);
    await held.close();
    await until(() => opened);
    await (await waiting).close();
  });
});
