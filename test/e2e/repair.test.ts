import { open as openFile } from 'node:fs/promises';
import { expect } from 'chai';
import { checkImage } from '../../fileserver/disk/check_image.ts';
import { computeLayout } from '../../fileserver/disk/layout.ts';
import { fileSizeBytes } from '../../protocol/ids.ts';
import { codeOf, get, LocalCluster, until } from './local_cluster.ts';

const GEOMETRY = { files: 32, blockSizeBytes: 128, blocksPerFile: 8 };
const FILE = 5;
const { data } = computeLayout(GEOMETRY).regions;

describe('a bit that flips on the disk of a running server', () => {
  let cluster: LocalCluster;
  afterEach(() => cluster.close());

  const flip = async (): Promise<void> => {
    const image = await openFile(cluster.disk, 'r+');
    const offset = data.offset + FILE * fileSizeBytes(GEOMETRY) + 300;
    const byte = new Uint8Array(1);
    await image.read(byte, 0, 1, offset);
    byte[0]! ^= 4;
    await image.write(byte, 0, 1, offset);
    await image.close();
  };

  const logged = (text: RegExp): boolean => cluster.lines.some(({ msg }) => text.test(msg));

  /** The server's memory has room for 16 files: now it has others. */
  const forget = async (): Promise<void> => {
    const direct = await cluster.direct();
    for (let file = 10; file < 30; file++) await get(direct, file, 1);
  };

  it('is repaired from the cacher that has the file, and read as if nothing had happened', async () => {
    cluster = await LocalCluster.start({ geometry: GEOMETRY });
    await get(await cluster.at('n1'), FILE, 4);
    await forget();
    await flip();
    expect(await get(await cluster.direct(), FILE, 1024)).to.equal('.'.repeat(1024));
    expect(logged(/^file 5: block 42 .* made good from a copy in memory$/)).to.equal(true);
    await cluster.stopAll();
    expect((await checkImage(cluster.disk)).findings).to.deep.equal([]);
  });

  it('is EIO for that file alone if nobody has it', async () => {
    cluster = await LocalCluster.start({ geometry: GEOMETRY });
    await flip();
    const direct = await cluster.direct();
    expect(await codeOf(get(direct, FILE, 4))).to.equal('EIO');
    expect(await codeOf(get(await cluster.at('n1'), FILE, 4))).to.equal('EIO');
    expect(await get(direct, FILE + 1, 4)).to.equal('....');
    await cluster.stopAll();
    const { findings } = await checkImage(cluster.disk);
    expect(findings.map(({ place }) => place)).to.deep.equal(['file 5, block 2']);
  });

  it('is found by the scrub, and repaired before anybody reads it', async () => {
    cluster = await LocalCluster.start({ geometry: GEOMETRY, scrubMs: 320 });
    await get(await cluster.at('n1'), FILE, 4);
    await flip();
    await until(() => logged(/^file 5: block 42 .* made good from a copy in memory$/));
    await cluster.stopAll();
    expect((await checkImage(cluster.disk)).findings).to.deep.equal([]);
  });
});
