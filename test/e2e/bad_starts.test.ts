import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { startCacher } from '../../cacher/daemon.ts';
import { startFileServer } from '../../fileserver/daemon.ts';
import { formatImage } from '../../fileserver/disk/image_file.ts';
import { encode } from '../../protocol/codec.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { RudpEndpoint } from '../../rudp/index.ts';
import {
  codeOf,
  get,
  HOST,
  KEY,
  LEASES,
  NO_SCRUB_MS,
  LocalCluster,
  put,
  SERVER_WAIT_MS,
  until,
} from './local_cluster.ts';
import { RawApplication } from './raw_application.ts';

/** What the promise rejects with, as "CODE message". */
const refusalOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code ?? ''} ${message}`;
  }
  return 'started';
};

describe('a daemon that cannot start', () => {
  let cluster: LocalCluster;

  before(async () => {
    cluster = await LocalCluster.start();
  });

  afterEach(async () => {
    const text = String(performance.now());
    await put(await cluster.at('n1'), 200, text);
    expect(await get(await cluster.at('n2'), 200, text.length)).to.equal(text);
  });

  after(async () => {
    await cluster.close();
  });

  const server = (disk: string, port = 0): Promise<string> =>
    refusalOf(
      startFileServer({
        disk,
        listen: { host: HOST, port },
        openPolicy: 'share',
        heartbeatMs: 100,
        ...LEASES,
        scrubMs: NO_SCRUB_MS,
        cachePages: 0,
        security: { keys: [KEY] },
        log: cluster.log('second'),
      }),
    );

  const cacher = (node: string, socket: string, port = 0): Promise<string> =>
    refusalOf(
      startCacher({
        node: node as NodeId,
        server: cluster.server.address,
        listen: { host: HOST, port },
        socket,
        pages: 8,
        writebackIntervalMs: 30_000,
        security: { keys: [KEY] },
        serverWaitMs: SERVER_WAIT_MS,
        log: cluster.log(node),
      }),
    );

  const geometry = { files: 4, blockSizeBytes: 128, blocksPerFile: 2 };

  it('says that the image is missing, a folder, open in another server', async () => {
    const none = join(cluster.folder, 'none.img');
    expect(await server(none)).to.match(/^ENOENT .*none\.img/);
    expect(await server(cluster.folder)).to.match(/^EINVAL .*is not a file/);
    expect(await server(cluster.disk)).to.match(/^EBUSY .*disk\.img is in use by process \d+/);
  });

  it('says that the image is cut off, foreign or of another version, and leaves it as it is', async () => {
    const image = join(cluster.folder, 'bad.img');
    await formatImage(image, geometry, {});
    const whole = readFileSync(image);
    const damages: [string, () => void, RegExp][] = [
      [
        'empty',
        () => {
          writeFileSync(image, '');
        },
        /^EINVAL .*bad\.img: /,
      ],
      [
        'cut',
        () => {
          truncateSync(image, whole.length - 1);
        },
        /^EINVAL .*bad\.img: /,
      ],
      [
        'half',
        () => {
          truncateSync(image, whole.length / 2);
        },
        /^EINVAL .*bad\.img: /,
      ],
      [
        'foreign',
        () => {
          writeFileSync(image, 'x'.repeat(whole.length));
        },
        /^EINVAL .*bad\.img: /,
      ],
    ];
    for (const [name, damage, message] of damages) {
      writeFileSync(image, whole);
      damage();
      const before = readFileSync(image);
      expect(await server(image), name).to.match(message);
      expect(readFileSync(image).equals(before), name).to.equal(true);
    }
    const other = Buffer.from(whole);
    // The format version is in bytes 8 to 11 of either superblock (docs and superblock.ts).
    for (const copy of [0, 1]) other.writeUInt32LE(99, copy * 4096 + 8);
    writeFileSync(image, other);
    expect(await server(image)).to.match(
      /^EINVAL .*format version is 99; this program reads version 2/,
    );
    writeFileSync(image, whole);
  });

  it('says which port is taken, and gives the disk and the socket back', async () => {
    const image = join(cluster.folder, 'free.img');
    await formatImage(image, geometry, {});
    const { port } = cluster.server.address;
    const taken = new RegExp(`^EBUSY cannot listen at ${HOST}:${port}: .*EADDRINUSE`);
    expect(await server(image, port)).to.match(taken);
    const again = await startFileServer({
      disk: image,
      listen: { host: HOST, port: 0 },
      openPolicy: 'share',
      heartbeatMs: 100,
      ...LEASES,
      scrubMs: NO_SCRUB_MS,
      cachePages: 0,
      security: { keys: [KEY] },
      log: cluster.log('again'),
    });
    again.stop();
    expect(await again.stopped).to.equal(undefined);
    const socket = join(cluster.folder, 'n9.sock');
    expect(await cacher('n9', socket, port)).to.match(taken);
    expect(existsSync(socket)).to.equal(false);
  });

  it('says that a live cacher has the name, and the name is free once that one has left', async () => {
    const socket = join(cluster.folder, 'second.sock');
    expect(await cacher('n2', socket)).to.match(
      /^EBUSY a cacher named n2 is alive at .*other name/,
    );
    expect(existsSync(socket)).to.equal(false);
    await cluster.stopCacher('n2');
    await cluster.addCacher('n2');
  });

  it('says that the socket path is too long, taken, or no socket, and leaves what is there', async () => {
    const long = join(cluster.folder, 'x'.repeat(107 - cluster.folder.length));
    expect(Buffer.byteLength(long)).to.equal(108);
    expect(await cacher('n9', long)).to.match(/^EINVAL the socket path .* has 108 bytes, .*107/);
    expect(await cacher('n9', '')).to.match(/^EINVAL the socket path .* has 0 bytes/);
    expect(await cacher('n9', cluster.socketOf('n1'))).to.match(/^EBUSY a live cacher listens/);
    const file = join(cluster.folder, 'notes.txt');
    writeFileSync(file, 'keep me');
    expect(await cacher('n9', file)).to.match(/^EINVAL .*notes\.txt is there and is no socket/);
    expect(readFileSync(file, 'utf8')).to.equal('keep me');
    expect(await cacher('n9', cluster.folder)).to.match(/^EINVAL .* is no socket/);
    expect(await cacher('n9', join(cluster.folder, 'no/such.sock'))).to.match(/^EINVAL cannot/);
  });

  it('takes the longest path there is', async () => {
    const longest = join(cluster.folder, 'x'.repeat(106 - cluster.folder.length));
    expect(Buffer.byteLength(longest)).to.equal(107);
    await cluster.addCacher('n8', longest);
    await cluster.stopCacher('n8');
    expect(existsSync(longest)).to.equal(false);
  });

  it('lets applications wait that come while it looks for its server', async () => {
    // A server that answers nothing yet: it takes the connection, and the registration is silent.
    const silent = await RudpEndpoint.bind({ name: 'server', key: KEY });
    const socket = join(cluster.folder, 'early.sock');
    const starting = startCacher({
      node: 'early' as NodeId,
      server: { host: HOST, port: silent.port },
      listen: { host: HOST, port: 0 },
      socket,
      pages: 8,
      writebackIntervalMs: 30_000,
      security: { keys: [KEY] },
      serverWaitMs: SERVER_WAIT_MS,
      log: cluster.log('early'),
    });
    const ended = codeOf(starting);
    await until(() => existsSync(socket));
    const application = await RawApplication.connect(socket);
    application.send({ type: 'hello', protocol: 1 });
    const connection = await silent.accept();
    const registration = await connection?.[Symbol.asyncIterator]().next();
    expect(registration?.done).to.equal(false);
    const message = 'the test is over';
    await connection?.send(encode({ type: 'registrationRefused', code: 'EBUSY', message }));
    expect(await ended, 'what ends it is the refusal, not the early application').to.equal('EBUSY');
    await application.closed;
    await silent.close(0);
  });

  it('refuses a path where somebody else listens', async () => {
    const path = join(cluster.folder, 'other.sock');
    const other = createServer();
    other.listen(path);
    await once(other, 'listening');
    expect(await cacher('n9', path)).to.match(/^EBUSY/);
    other.close();
  });
});
