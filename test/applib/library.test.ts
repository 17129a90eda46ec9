import { expect } from 'chai';
import { CONNECT_TIMEOUT_LIMIT_MS } from '../../applib/client.ts';
import {
  connect,
  FsError,
  InitLib,
  myclose,
  myopen,
  myread,
  mywrite,
  type CoopFs,
} from '../../applib/index.ts';
import { SOCKET_PATH_LIMIT_BYTES } from '../../applib/unix_socket.ts';
import { FakeDaemon, honest, SIZE_BYTES } from './fake_daemon.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    return error instanceof FsError ? error.code : String(error);
  }
  return 'none';
};

describe('the application library over a unix socket', () => {
  let daemon: FakeDaemon;
  let fs: CoopFs | undefined;

  beforeEach(async () => {
    daemon = await FakeDaemon.start();
  });

  afterEach(async () => {
    await fs?.close();
    fs = undefined;
    await daemon.stop();
  });

  it('opens, writes, reads and closes, and says where bytes came from', async () => {
    fs = await connect({ socket: daemon.path });
    expect(fs.node).to.equal('n1');
    expect(fs.geometry.files).to.equal(16);
    const writer = await fs.open(7, 'w');
    const written = await writer.writeDetailed('hällo');
    expect(written).to.deep.equal({
      count: 6,
      version: { term: 1, counter: 2 },
      copies: 2,
      degraded: false,
    });
    await writer.close();
    const reader = await fs.open(7, 'r');
    const read = await reader.readDetailed(6);
    expect(Buffer.from(read.bytes).toString()).to.equal('hällo');
    expect(read.source).to.equal('peer');
    expect(text(await reader.read(100))).to.equal('.'.repeat(SIZE_BYTES - 6));
    expect((await reader.read(1)).length).to.equal(0);
    expect(await codeOf(reader.write('x'))).to.equal('EBADF');
  });

  it('keeps many requests in flight, in the order of their calls', async () => {
    fs = await connect({ socket: daemon.path });
    const file = await fs.open(1, 'w');
    const letters = 'abcdefghijklmnop'.split(/(?=.)/u);
    await Promise.all(letters.map((letter) => file.write(letter)));
    await file.close();
    const again = await fs.open(1, 'r');
    const parts = await Promise.all(letters.map(() => again.read(1)));
    expect(parts.map(text).join('')).to.equal('abcdefghijklmnop');
  });

  it('lets go of the bytes to write when the call returns', async () => {
    fs = await connect({ socket: daemon.path });
    const file = await fs.open(1, 'w');
    const bytes = Buffer.from('first');
    const writing = file.write(bytes);
    bytes.fill('x');
    await writing;
    await file.close();
    expect(text(await (await fs.open(1, 'r')).read(5))).to.equal('first');
  });

  it('closes a file at the end of its block, and once only', async () => {
    fs = await connect({ socket: daemon.path });
    {
      await using file = await fs.open(3, 'r');
      await file.read(1);
    }
    {
      await using file = await fs.open(3, 'r');
      await file.close();
    }
    const closes = daemon.received.filter(({ type }) => type === 'close');
    expect(closes.length).to.equal(2);
  });

  it('rejects with what the daemon answers', async () => {
    fs = await connect({ socket: daemon.path });
    const file = await fs.open(1, 'w');
    daemon.become((message) =>
      'request' in message
        ? [{ type: 'failed', request: message.request, code: 'EIO', message: 'the disk is gone' }]
        : [],
    );
    expect(await codeOf(file.write('x'))).to.equal('EIO');
    expect(await codeOf(fs.open(2, 'r'))).to.equal('EIO');
  });

  it('fails what waits and files that were open when the cacher goes, and opens anew', async () => {
    fs = await connect({ socket: daemon.path });
    const file = await fs.open(1, 'w');
    daemon.become((_message, self) => {
      self.hangUp();
      return [];
    });
    const calls = [file.read(1), file.write('x'), fs.status()];
    expect(await Promise.all(calls.map(codeOf))).to.deep.equal(Array(3).fill('ECONNLOST'));
    daemon.become(honest());
    expect(await codeOf(file.read(1))).to.equal('ECONNLOST');
    const again = await fs.open(1, 'w');
    expect(await again.write('yes')).to.equal(3);
    expect(await codeOf(file.write('x'))).to.equal('ECONNLOST');
    await file[Symbol.asyncDispose]();
    expect(daemon.connections).to.equal(2);
  });

  it('makes one new connection for many opens at once', async () => {
    fs = await connect({ socket: daemon.path });
    const before = fs;
    daemon.become((_message, self) => {
      self.hangUp();
      return [];
    });
    await codeOf(fs.status());
    daemon.become(honest());
    await Promise.all([1, 2, 3].map((file) => before.open(file, 'r')));
    expect(daemon.connections).to.equal(2);
  });

  it('says that nobody is there, when nobody is', async () => {
    await daemon.stop();
    expect(await codeOf(connect({ socket: daemon.path }))).to.equal('ECONNLOST');
    daemon = await FakeDaemon.start();
  });

  it('gives up on a daemon that does not answer, and on one that refuses', async () => {
    daemon.become(() => []);
    const silent = connect({ socket: daemon.path, connectTimeoutMs: 20 });
    expect(await codeOf(silent)).to.equal('ETIMEDOUT');
    daemon.become(() => [{ type: 'failed', request: 0, code: 'ESHUTDOWN', message: 'stopping' }]);
    expect(await codeOf(connect({ socket: daemon.path }))).to.equal('ESHUTDOWN');
  });

  it('gives up on a daemon that sends what is no message', async () => {
    fs = await connect({ socket: daemon.path });
    const file = await fs.open(1, 'r');
    daemon.become((_message, self) => {
      self.sendRaw(Uint8Array.of(0, 0, 0, 2, 0xff, 0xff));
      return [];
    });
    expect(await codeOf(file.read(1))).to.equal('EPROTO');
    expect(await codeOf(file.read(1))).to.equal('EPROTO');
  });

  it('fails every call after it was closed', async () => {
    fs = await connect({ socket: daemon.path });
    const file = await fs.open(1, 'r');
    await fs.close();
    const calls = [file.read(1), fs.open(2, 'r'), fs.status(), fs.where(1)];
    expect(await Promise.all(calls.map(codeOf))).to.deep.equal(Array(4).fill('ECONNLOST'));
  });

  it('parses the status, and refuses one that is not JSON', async () => {
    fs = await connect({ socket: daemon.path });
    expect(await fs.status()).to.deep.equal({ reads: 3 });
    daemon.become((message) =>
      message.type === 'status'
        ? [{ type: 'statusDone', request: message.request, json: '{' }]
        : [],
    );
    expect(await codeOf(fs.status())).to.equal('EPROTO');
  });

  it('tells where a file is', async () => {
    fs = await connect({ socket: daemon.path });
    const { owner, backup, sharers } = await fs.where(7);
    expect([owner, backup, sharers]).to.deep.equal(['n1', undefined, ['n1']]);
    expect(await codeOf(fs.where(16))).to.equal('ENOENT');
  });

  it('refuses options that cannot be', async () => {
    const longest = `/${'x'.repeat(SOCKET_PATH_LIMIT_BYTES - 1)}`;
    const cases = [
      { socket: daemon.path, server: '127.0.0.1:1' },
      { server: 'nowhere', insecure: true },
      { server: '127.0.0.1:0', insecure: true },
      { server: '127.0.0.1:65536', insecure: true },
      { server: '127.0.0.1:1' },
      { server: '127.0.0.1:1', keyFile: '/nowhere/cluster.key' },
      { server: '127.0.0.1:1', key: new Uint8Array(31) },
      { server: '127.0.0.1:1', key: new Uint8Array(32), insecure: true },
      { socket: `${longest}x` },
      { socket: daemon.path, connectTimeoutMs: 0 },
      { socket: daemon.path, connectTimeoutMs: CONNECT_TIMEOUT_LIMIT_MS + 1 },
    ];
    for (const options of cases) {
      expect(await codeOf(connect(options)), JSON.stringify(options)).to.equal('EINVAL');
    }
    expect(await codeOf(connect({ socket: longest }))).to.equal('ECONNLOST');
  });

  it('takes the socket from COOPFS_SOCKET', async () => {
    const before = process.env['COOPFS_SOCKET'];
    try {
      delete process.env['COOPFS_SOCKET'];
      expect(await codeOf(connect())).to.equal('EINVAL');
      process.env['COOPFS_SOCKET'] = daemon.path;
      fs = await connect();
    } finally {
      if (before === undefined) delete process.env['COOPFS_SOCKET'];
      else process.env['COOPFS_SOCKET'] = before;
    }
  });

  it('has the calls of the course', async () => {
    expect(await codeOf(myopen(1, 0))).to.equal('EINVAL');
    expect(await codeOf(myread(1, new Uint8Array(1), 1))).to.equal('EBADF');
    expect(await InitLib({ socket: daemon.path })).to.equal(0);
    expect(await myopen(1, 1)).to.equal(0);
    expect(await mywrite(1, 'hello world', 5)).to.equal(5);
    expect(await codeOf(mywrite(1, 'abc', 4))).to.equal('EINVAL');
    expect(await mywrite(1, new Uint8Array(100), 100)).to.equal(SIZE_BYTES - 5);
    expect(await codeOf(mywrite(1, 'x', 1))).to.equal('EFBIG');
    expect(await myclose(1)).to.equal(0);
    expect(await codeOf(myclose(1))).to.equal('EBADF');
    expect(await codeOf(myopen(1, 2))).to.equal('EINVAL');
    await myopen(1, 0);
    const buffer = new Uint8Array(8);
    expect(await myread(1, buffer, 5)).to.equal(5);
    expect(text(buffer)).to.equal('hello\0\0\0');
    expect(await codeOf(myread(1, buffer, 9))).to.equal('EINVAL');
    expect(await codeOf(myopen(1, 0))).to.equal('EBUSY');
    expect(await InitLib({ socket: daemon.path })).to.equal(0);
    expect(await codeOf(myread(1, buffer, 1))).to.equal('EBADF');
  });
});
