import { expect } from 'chai';
import { checkImage } from '../../fileserver/disk/image_file.ts';
import { codeOf, get, LocalCluster, put } from './local_cluster.ts';

describe('a cluster in this process', () => {
  let cluster: LocalCluster;

  afterEach(async () => {
    await cluster.close();
  });

  it('hands dirty files over when its cachers stop, to nodes that remain and to the disk', async () => {
    cluster = await LocalCluster.start({ cachers: 3 });
    const writer = await cluster.at('n1');
    for (let number = 0; number < 6; number++) await put(writer, number, `dirty ${number}`);
    expect((await writer.where(3)).state).to.equal('dirty');
    await writer.close();
    await cluster.stopCacher('n1');
    const reader = await cluster.at('n2');
    for (let number = 0; number < 6; number++) {
      expect(await get(reader, number, 7)).to.equal(`dirty ${number}`);
      expect((await reader.where(number)).owner).to.not.equal('n1');
    }
    // Somebody else's dirty file, whose backup may be the one that goes next.
    await put(reader, 7, 'still dirty');
    await reader.close();
    await cluster.stopCacher('n3');
    await cluster.stopCacher('n2');
    const direct = await cluster.direct();
    expect(await get(direct, 7, 11)).to.equal('still dirty');
    expect((await direct.where(7)).state).to.equal('uncached');
  });

  it('has everything on the disk after an orderly stop, and serves it when it starts again', async () => {
    cluster = await LocalCluster.start({ cachers: 2 });
    await put(await cluster.at('n1'), 10, 'ten');
    await put(await cluster.at('n2'), 11, 'eleven');
    await put(await cluster.direct(), 12, 'twelve');
    await cluster.stopAll();
    const report = await checkImage(cluster.disk);
    expect(report.findings).to.deep.equal([]);
    await cluster.startAll();
    const fs = await cluster.at('n2');
    expect(await get(fs, 10, 3)).to.equal('ten');
    expect(await get(fs, 11, 6)).to.equal('eleven');
    expect(await get(fs, 12, 6)).to.equal('twelve');
    expect(await get(fs, 13, 3), 'what was never written').to.equal('...');
    // The versions go on: a write under the new epoch is newer than all before.
    const before = await fs.where(10);
    await put(fs, 10, 'TEN');
    expect((await fs.where(10)).term).to.be.greaterThan(before.term);
    expect((await fs.where(10)).epoch).to.equal(2);
  });

  it('writes dirty files back when only the server is told to stop', async () => {
    cluster = await LocalCluster.start({ cachers: 2 });
    const fs = await cluster.at('n1');
    await put(fs, 5, 'of n1');
    cluster.server.stop();
    expect(await cluster.server.stopped).to.equal(undefined);
    // Nothing is left to hand over, and nobody is there to hand it to: they need not wait.
    for (const node of ['n1', 'n2']) await cluster.stopCacher(node);
    expect(cluster.lines.map(({ msg }) => msg)).to.not.include(
      'stopping before everything could be handed over',
    );
    expect((await checkImage(cluster.disk)).findings).to.deep.equal([]);
  });

  it('fails calls on open files with ECONNLOST when the cacher stops, and opens anew', async () => {
    cluster = await LocalCluster.start({ cachers: 2 });
    const fs = await cluster.at('n1');
    const file = await fs.open(4, 'w');
    await file.write('before');
    await cluster.stopCacher('n1');
    expect(await codeOf(file.read(1))).to.equal('ECONNLOST');
    expect(await codeOf(fs.open(4, 'r'))).to.equal('ECONNLOST');
    await cluster.addCacher('n1');
    expect(await codeOf(file.read(1)), 'the old handle stays lost').to.equal('ECONNLOST');
    expect(await get(fs, 4, 6)).to.equal('before');
  });

  it('lets a cacher that left come back under its name at once', async () => {
    cluster = await LocalCluster.start({ cachers: 2 });
    for (let round = 0; round < 3; round++) {
      await put(await cluster.at('n1'), 1, `round ${round}`);
      await cluster.stopCacher('n1');
      await cluster.addCacher('n1');
      expect(await get(await cluster.at('n1'), 1, 7)).to.equal(`round ${round}`);
    }
  });
});
