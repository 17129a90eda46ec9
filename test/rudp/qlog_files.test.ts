/** qlog files of real connections on 127.0.0.1. */

import { expect } from 'chai';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RudpEndpoint, RudpError, type BindOptions } from '../../rudp/index.ts';
import { QlogFiles } from '../../rudp/qlog_files.ts';
import { parseQlog } from './qlog_schema.ts';

const KEY = new Uint8Array(32).fill(1);
const ABOUT_PARAMETERS = {
  name: 'n',
  incarnation: 1,
  maxDatagramBytes: 1_200,
  idleTimeoutMs: 1,
  maxAckDelayMs: 1,
  maxMessageBytes: 1,
  maxChannels: 1,
  connectionWindowBytes: 1,
  channelWindowBytes: 1,
};
const ABOUT = {
  address: '127.0.0.1:1',
  initiator: true,
  localId: 0xabc,
  remoteId: 2,
  local: ABOUT_PARAMETERS,
  peer: ABOUT_PARAMETERS,
};

describe('qlog files', () => {
  let dir = '';

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'rudp-qlog-'));
  });

  afterEach(() => {
    rmSync(dir, { recursive: true });
  });

  /** Sends 100 messages and a request, and closes. */
  const converse = async (options: BindOptions): Promise<void> => {
    const server = await RudpEndpoint.bind({ name: 'server', key: KEY, ...options });
    const client = await RudpEndpoint.bind({ name: 'client', key: KEY, ...options });
    const ours = await client.connect('127.0.0.1', server.port);
    const theirs = await server.accept();
    theirs?.onRequest((request) => request);
    for (let count = 0; count < 100; count += 1) await ours.send(new Uint8Array(count * 100));
    await ours.request(Uint8Array.from([1]));
    await client.close();
    await server.close();
  };

  it('are written for both sides of a connection, in a folder that is made', async () => {
    const qlogDir = join(dir, 'a', 'b');
    await converse({ qlogDir });
    const names = readdirSync(qlogDir).sort();
    expect(names).to.have.length(2);
    expect(names[0]).to.match(/^[0-9a-f]{16}_client\.sqlog$/);
    expect(names[1]).to.equal(names[0]?.replace('client', 'server'));
    const [client, server] = names.map((name) =>
      parseQlog(readFileSync(join(qlogDir, name), 'utf8')),
    );
    const count = (of: typeof client, name: string): number =>
      of!.events.filter((event) => event.name === name).length;
    expect(count(client, 'transport:packet_sent')).to.be.greaterThan(5);
    expect(count(server, 'transport:packet_received')).to.be.greaterThan(5);
    expect(count(client, 'connectivity:connection_closed')).to.equal(1);
    expect(count(server, 'connectivity:connection_closed')).to.equal(1);
    const { reference_time } = client!.header.trace.common_fields;
    expect(Math.abs(Date.now() - reference_time)).to.be.lessThan(60_000);
  });

  it('that the disk does not take end with one word, and the connection lives on', async () => {
    const qlogDir = join(dir, 'gone');
    const errors: string[] = [];
    const onQlogError = (error: Error): void => {
      errors.push(error.message);
    };
    const server = await RudpEndpoint.bind({ key: KEY });
    const client = await RudpEndpoint.bind({ key: KEY, qlogDir, onQlogError });
    rmSync(qlogDir, { recursive: true });
    const ours = await client.connect('127.0.0.1', server.port);
    (await server.accept())?.onRequest((request) => request);
    const deadline = Date.now() + 10_000;
    while (errors.length === 0 && Date.now() < deadline) await ours.request(Uint8Array.from([1]));
    expect(errors).to.have.length(1);
    expect(errors[0]).to.match(/^no more qlog files are written: ENOENT/);
    expect([...(await ours.request(Uint8Array.from([2])))]).to.eql([2]);
    await client.close();
    await server.close();
    expect(errors).to.have.length(1);
  });

  it('hold no more than they may, and memory holds no more than it may for them', async () => {
    const small = new QlogFiles(dir, { maxWaitingBytes: 2_000, maxFileBytes: 5_000 });
    const trace = small.observe(ABOUT, 0);
    for (let round = 0; round < 10; round += 1) {
      for (let count = 0; count < 100; count += 1) {
        trace.packetSent(round * 100 + count, 20, Uint8Array.from([1]), round);
      }
      await small.flush();
    }
    await small.close();
    const text = readFileSync(join(dir, '0000000000000abc_client.sqlog'), 'utf8');
    expect(text.length).to.be.within(4_000, 5_000);
    const warnings = parseQlog(text).events.filter(({ name }) => name === 'generic:warning');
    expect(warnings.length).to.be.greaterThan(0);
  });

  it('are refused where no folder can be made', async () => {
    const file = join(dir, 'file');
    writeFileSync(file, '');
    const refused = await RudpEndpoint.bind({ key: KEY, qlogDir: join(file, 'x') }).catch(
      (error: unknown) => error,
    );
    expect(refused).to.be.instanceOf(RudpError).and.to.include({ code: 'invalid' });
  });
});
