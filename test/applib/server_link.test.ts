import { expect } from 'chai';
import { connect, FsError } from '../../applib/index.ts';
import { parseAddress } from '../../applib/server_link.ts';
import { decode, encode } from '../../protocol/codec.ts';
import { channelOf, channelOfFile } from '../../protocol/messages.ts';
import type { FileNumber } from '../../protocol/ids.ts';
import { RudpEndpoint, type RudpConnection } from '../../rudp/index.ts';
import { honest } from './fake_daemon.ts';

const KEY = new Uint8Array(32).fill(5);

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    return error instanceof FsError ? error.code : String(error);
  }
  return 'none';
};

describe('the application library straight to the file server', () => {
  let endpoint: RudpEndpoint;
  let channels: Set<number>;
  let clients: RudpConnection[];

  const serve = async (connection: RudpConnection): Promise<void> => {
    const script = honest();
    clients.push(connection);
    for await (const { channel, message } of connection) {
      channels.add(channel);
      for (const answer of script(decode(message), undefined as never)) {
        await connection.send(encode(answer), { channel: channelOf(answer) });
      }
    }
  };

  beforeEach(async () => {
    channels = new Set();
    clients = [];
    endpoint = await RudpEndpoint.bind({ name: 'server', key: KEY });
    void (async () => {
      for await (const connection of endpoint) void serve(connection);
    })();
  });

  afterEach(async () => {
    await endpoint.close(0);
  });

  it('opens, writes and reads, each file on its own channel', async () => {
    await using fs = await connect({ server: `127.0.0.1:${endpoint.port}`, key: KEY });
    const file = await fs.open(7, 'w');
    expect(await file.write('over rudp')).to.equal(9);
    await file.close();
    const again = await fs.open(7, 'r');
    expect(Buffer.from(await again.read(9)).toString()).to.equal('over rudp');
    expect(channels).to.deep.equal(new Set([0, channelOfFile(7 as FileNumber)]));
  });

  it('fails what waits when the server goes, and opens anew when it is back', async () => {
    await using fs = await connect({ server: `localhost:${endpoint.port}`, key: KEY });
    const file = await fs.open(1, 'r');
    await Promise.all(clients.map((client) => client.close(0, 'gone', 0)));
    expect(await codeOf(file.read(1))).to.equal('ECONNLOST');
    const again = await fs.open(1, 'r');
    expect((await again.read(1)).length).to.equal(1);
  });

  it('gives up where no server answers', async () => {
    const { port } = endpoint;
    await endpoint.close(0);
    const code = await codeOf(
      connect({ server: `127.0.0.1:${port}`, key: KEY, connectTimeoutMs: 50 }),
    );
    expect(['ECONNLOST', 'ETIMEDOUT']).to.include(code);
  });
});

describe('the address of a file server', () => {
  it('is a host and a port of 1 to 65535', () => {
    expect(parseAddress('fs.example:65535')).to.deep.equal({ host: 'fs.example', port: 65535 });
    for (const wrong of ['', 'x', ':1', 'x:', 'x:0', 'x:65536', 'x:1:2', 'x:1 ', 'x:-1']) {
      expect(() => parseAddress(wrong), wrong).to.throw(FsError, 'must be host:port');
    }
  });
});
