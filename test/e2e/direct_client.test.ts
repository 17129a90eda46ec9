import { expect } from 'chai';
import { encode } from '../../protocol/codec.ts';
import { type FileNumber } from '../../protocol/ids.ts';
import { channelOf, type Message } from '../../protocol/messages.ts';
import { RudpEndpoint } from '../../rudp/index.ts';
import { KEY, LocalCluster, until } from './local_cluster.ts';

const MIB = 1024 * 1024;
const FILE = 1 as FileNumber;

describe('an application without a cacher', function () {
  this.timeout(20_000);
  let cluster: LocalCluster;

  beforeEach(async () => {
    const geometry = { files: 2, blockSizeBytes: 128 * 1024, blocksPerFile: 8 };
    cluster = await LocalCluster.start({ cachers: 0, geometry });
  });

  afterEach(async () => {
    await cluster.close();
  });

  it('gets an answer to each of many large reads at once', async () => {
    const fs = await cluster.direct();
    const files = await Promise.all([0, 1].map((number) => fs.open(number, 'r')));
    const reads: Promise<Uint8Array>[] = [];
    for (const file of files) {
      for (let piece = 0; piece < 64; piece++) reads.push(file.read(MIB / 64));
    }
    const sizes = (await Promise.all(reads)).map((bytes) => bytes.length);
    expect(sizes).to.deep.equal(Array<number>(128).fill(MIB / 64));
  });

  it('that takes no answers is cut off when no more fit in its link, and that is logged', async () => {
    const endpoint = await RudpEndpoint.bind({ name: 'greedy', key: KEY });
    const { host, port } = cluster.server.address;
    const connection = await endpoint.connect(host, port);
    const ask = (message: Message): Promise<void> =>
      connection.send(encode(message), { channel: channelOf(message) });
    await ask({ type: 'hello', protocol: 1 });
    await ask({ type: 'open', request: 1, file: FILE, mode: 0 });
    const large = { type: 'read', file: FILE, offset: 0, length: MIB } as const;
    await ask({ ...large, request: 2 });
    // From now on the file is in the server's memory, and answered at once.
    for (let answers = 0; answers < 3; answers++) await connection.receive();
    // Far more than the window of the reader and the buffer of the sender take together.
    for (let request = 3; request < 300 && connection.closed === undefined; request++) {
      await ask({ ...large, request }).catch(() => undefined);
    }
    await until(() => connection.closed !== undefined);
    expect(connection.closed?.reason).to.include('no room');
    expect(cluster.lines.map(({ msg }) => msg).join()).to.match(/messages dropped.*readDone/);
    await endpoint.close(0);
  });
});
