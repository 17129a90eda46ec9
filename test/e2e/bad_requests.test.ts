import { once } from 'node:events';
import { expect } from 'chai';
import { decode, encode } from '../../protocol/codec.ts';
import { encodeFrame, FRAME_LIMIT_BYTES } from '../../protocol/framing.ts';
import type { FileNumber } from '../../protocol/ids.ts';
import { PROTOCOL_VERSION, type Message } from '../../protocol/messages.ts';
import { RudpEndpoint } from '../../rudp/index.ts';
import { codeOf, get, HOST, KEY, LocalCluster, put } from './local_cluster.ts';
import { RawApplication } from './raw_application.ts';

const UINT32_MAX = 2 ** 32 - 1;
const FILE_BYTES = 1024;
const file = (number: number): FileNumber => number as FileNumber;

/** Code and message of an answer that says no. */
const refusal = (answer: Message): string =>
  answer.type === 'failed' ? `${answer.code} ${answer.message}` : answer.type;

describe('bad requests of applications', () => {
  let cluster: LocalCluster;

  before(async () => {
    cluster = await LocalCluster.start();
  });

  afterEach(async () => {
    // Whatever happened: the daemons live, and serve.
    const text = String(performance.now());
    await put(await cluster.at('n1'), 200, text);
    expect(await get(await cluster.at('n2'), 200, text.length)).to.equal(text);
  });

  after(async () => {
    await cluster.close();
  });

  it('are refused by the library, with the value and what would be right', async () => {
    for (const fs of [await cluster.at('n1'), await cluster.direct()]) {
      expect(await codeOf(fs.open(256, 'r'))).to.equal('ENOENT');
      expect(await codeOf(fs.open(-1, 'r'))).to.equal('EINVAL');
      expect(await codeOf(fs.open(2 ** 40, 'r'))).to.equal('ENOENT');
      expect(await codeOf(fs.open(1, 2))).to.equal('EINVAL');
      const opened = await fs.open(1, 'r');
      expect(await codeOf(opened.read(-1))).to.equal('EINVAL');
      expect(await codeOf(opened.read(2 ** 32))).to.equal('EINVAL');
      expect(await codeOf(opened.write('x'))).to.equal('EBADF');
      expect((await opened.read(UINT32_MAX)).length).to.equal(FILE_BYTES);
      expect((await opened.read(UINT32_MAX)).length).to.equal(0);
      await opened.close();
    }
  });

  /** An asker of each kind: an application of a cacher, and one that is connected to the server. */
  const askers: Record<
    string,
    () => Promise<{ ask: (m: Message) => Promise<Message>; end: () => Promise<void> }>
  > = {
    'a cacher': async () => {
      const application = await RawApplication.greet(cluster.socketOf('n1'));
      return { ask: (message) => application.ask(message), end: () => application.end() };
    },
    'the file server': async () => {
      const endpoint = await RudpEndpoint.bind({ name: `raw-${performance.now()}`, key: KEY });
      const connection = await endpoint.connect(HOST, cluster.server.address.port);
      const answers = connection[Symbol.asyncIterator]();
      const ask = async (message: Message): Promise<Message> => {
        await connection.send(encode(message));
        const { value } = (await answers.next()) as { value: { message: Uint8Array } };
        return decode(value.message);
      };
      await ask({ type: 'hello', protocol: PROTOCOL_VERSION });
      return { ask, end: () => endpoint.close(0) };
    },
  };

  for (const [name, connectTo] of Object.entries(askers)) {
    it(`are refused by ${name} too, whatever an application asks`, async () => {
      const { ask, end } = await connectTo();
      const request = 7;
      let operation = 100;
      const open = (number: number, mode: number): Promise<Message> =>
        ask({ type: 'open', request, file: file(number), mode });
      expect(refusal(await open(256, 0))).to.match(/^ENOENT file 256 .*0 to 255/);
      expect(refusal(await open(UINT32_MAX, 0))).to.match(/^ENOENT file 4294967295/);
      expect(refusal(await open(3, 2))).to.match(/^EINVAL mode 2 is neither 0 .* nor 1/);
      const bytes = new Uint8Array(2 * FILE_BYTES).fill(120);
      const read = { type: 'read', request, file: file(3), offset: 0, length: 1 } as const;
      const write = { type: 'write', request, file: file(3), offset: 0, bytes } as const;
      expect(refusal(await ask(read))).to.match(/^EBADF file 3 is not open/);
      expect(refusal(await ask(write))).to.match(/^EBADF file 3 is not open/);
      expect(refusal(await ask({ type: 'close', request, file: file(3) }))).to.match(/^EBADF/);
      expect(refusal(await ask({ type: 'where', request, file: file(256) }))).to.match(/^ENOENT/);
      expect(await open(3, 0)).to.include({ type: 'opened', request, sizeBytes: FILE_BYTES });
      expect(refusal(await ask(write))).to.match(/^EBADF file 3 is open for reading/);
      expect(refusal(await open(3, 1))).to.match(/^EBUSY file 3 is already open/);
      const whole = await ask({ ...read, length: UINT32_MAX });
      expect(whole.type === 'readDone' && whole.bytes.length).to.equal(FILE_BYTES);
      const beyond = await ask({ ...read, offset: UINT32_MAX, length: UINT32_MAX });
      expect(beyond.type === 'readDone' && beyond.bytes.length).to.equal(0);
      expect((await ask({ type: 'close', request, file: file(3) })).type).to.equal('closed');
      expect((await open(3, 1)).type).to.equal('opened');
      expect(refusal(await ask({ ...write, request: operation++, offset: FILE_BYTES }))).to.match(
        /^EFBIG .* 1024/,
      );
      expect(refusal(await ask({ ...write, request: operation++, offset: UINT32_MAX }))).to.match(
        /^EFBIG/,
      );
      expect(await ask(write), 'cut at the end').to.include({
        type: 'writeDone',
        count: FILE_BYTES,
      });
      const last = await ask({ ...write, request: operation++, offset: FILE_BYTES - 1 });
      expect(last).to.include({ type: 'writeDone', count: 1 });
      await end();
    });

    it(`are refused by ${name} if they speak another version of the protocol`, async () => {
      const { ask, end } = await connectTo();
      const answer = await ask({ type: 'hello', protocol: PROTOCOL_VERSION + 1 });
      expect(refusal(answer)).to.match(/^EPROTO .*version 2.*version 1/);
      await end();
    });
  }

  it('come before hello: they are told to say it', async () => {
    const application = await RawApplication.connect(cluster.socketOf('n1'));
    const answer = await application.ask({ type: 'open', request: 5, file: file(1), mode: 0 });
    expect(refusal(answer)).to.match(/^EPROTO .*hello first/);
    await application.end();
  });

  it('are messages that no application sends', async () => {
    const application = await RawApplication.greet(cluster.socketOf('n1'));
    for (const message of [
      { type: 'leave' },
      { type: 'left' },
      { type: 'evicted', file: file(1) },
      { type: 'writtenBack', request: 9, file: file(1) },
    ] as const) {
      expect(refusal(await application.ask(message))).to.match(/^EPROTO \w+ is not a request/);
    }
    await application.end();
  });

  it('are frames too long, or of what is no message: the connection ends, with the reason', async () => {
    const header = (length: number): Uint8Array => {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, length);
      return bytes;
    };
    const cases: [Uint8Array, RegExp][] = [
      [header(FRAME_LIMIT_BYTES + 1), /EPROTO a frame of 17825793 bytes, must be at most 17825792/],
      [header(UINT32_MAX), /EPROTO a frame of 4294967295 bytes/],
      [encodeFrame(new Uint8Array(0)), /EPROTO a message of 0 bytes has no known body/],
      [encodeFrame(new Uint8Array(1000).fill(255)), /EPROTO undecodable message of 1000 bytes/],
      [new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'), /EPROTO a frame of 1195725856 bytes/],
    ];
    for (const [bytes, message] of cases) {
      const application = await RawApplication.greet(cluster.socketOf('n1'));
      application.socket.write(bytes);
      expect(refusal(await application.next())).to.match(message);
      await application.closed;
    }
  });

  it('are half frames, whose connection ends or says nothing more', async () => {
    const frame = encodeFrame(encode({ type: 'open', request: 1, file: file(1), mode: 0 }));
    const silent = await RawApplication.greet(cluster.socketOf('n1'));
    silent.socket.write(frame.subarray(0, frame.length - 1));
    for (let length = 0; length < frame.length; length++) {
      const application = await RawApplication.greet(cluster.socketOf('n1'));
      application.socket.end(frame.subarray(0, length));
      await once(application.socket, 'close');
    }
    silent.socket.write(frame.subarray(frame.length - 1));
    expect(await silent.next(), 'the frame is whole now').to.include({
      type: 'opened',
      request: 1,
    });
    await silent.end();
  });

  it('come from an application that takes its answers late: none of them is lost', async () => {
    const application = await RawApplication.greet(cluster.socketOf('n1'));
    await application.ask({ type: 'open', request: 1, file: file(1), mode: 0 });
    const count = 10_000;
    const read = { type: 'read', file: file(1), offset: 0, length: FILE_BYTES } as const;
    // From here on the reads are served from this node's memory, at once.
    await application.ask({ ...read, request: 1 });
    application.socket.pause();
    for (let request = 2; request < 2 + count; request++) application.send({ ...read, request });
    // The other application of the node is served while this one's answers wait.
    await put(await cluster.at('n1'), 2, 'meanwhile');
    application.socket.resume();
    for (let request = 2; request < 2 + count; request++) {
      expect(await application.next()).to.include({ type: 'readDone', request });
    }
    await application.end();
  });
});
