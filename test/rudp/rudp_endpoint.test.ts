/** Real sockets on 127.0.0.1. */

import { expect } from 'chai';
import {
  RudpEndpoint,
  RudpError,
  type BindOptions,
  type RudpConnection,
} from '../../rudp/index.ts';

const KEY = new Uint8Array(32).fill(1);

describe('rudp on sockets', () => {
  const open: RudpEndpoint[] = [];

  const bind = async (options: BindOptions = {}) => {
    const endpoint = await RudpEndpoint.bind({
      ...(options.keys === undefined ? { key: KEY } : {}),
      ...options,
    });
    open.push(endpoint);
    return endpoint;
  };

  const connectedPair = async (
    options: BindOptions = {},
  ): Promise<[RudpConnection, RudpConnection]> => {
    const server = await bind({ name: 'server', ...options });
    const client = await bind({ name: 'client', ...options });
    const [ours, theirs] = await Promise.all([
      client.connect('127.0.0.1', server.port),
      server.accept(),
    ]);
    if (theirs === undefined) throw new Error('no connection');
    return [ours, theirs];
  };

  afterEach(async () => {
    await Promise.all(open.splice(0).map((endpoint) => endpoint.close(0)));
  });

  it('connects, and each side knows the other by name', async () => {
    const [ours, theirs] = await connectedPair({ incarnation: 42 });
    expect(ours.peer).to.eql({ name: 'server', incarnation: 42 });
    expect(theirs.peer).to.eql({ name: 'client', incarnation: 42 });
  });

  it('finds out that loopback carries datagrams of 65,507 bytes', async () => {
    const [ours, theirs] = await connectedPair();
    let messages = 0;
    for (; messages < 100 && ours.stats().datagramBytes < 65_507; messages += 1) {
      await ours.send(new Uint8Array(1));
      await theirs.receive();
    }
    expect(ours.stats().datagramBytes, `after ${messages} messages`).to.equal(65_507);
  });

  it('delivers 10,000 messages of many sizes in order on 10 channels, and closes after the last', async () => {
    const [ours, theirs] = await connectedPair();
    const next = new Map<number, number>();
    let bytes = 0;
    const reading = (async () => {
      for await (const { channel, message } of theirs) {
        const sequence = new DataView(message.buffer).getUint32(0);
        expect(sequence).to.equal(next.get(channel) ?? 0);
        next.set(channel, sequence + 1);
        bytes += message.length;
      }
    })();
    let sent = 0;
    for (let count = 0; count < 10_000; count += 1) {
      const message = new Uint8Array(4 + (count % 100 === 0 ? 100_000 : count % 300));
      new DataView(message.buffer).setUint32(0, Math.floor(count / 10));
      sent += message.length;
      await ours.send(message, { channel: count % 10 });
    }
    await ours.close(256, 'that was all');
    await reading;
    expect(bytes).to.equal(sent);
    expect(theirs.closed).to.eql({ code: 256, reason: 'that was all' });
  });

  it('holds a sender back while nobody reads', async () => {
    const limits = { sendBufferBytes: 200_000, connectionWindowBytes: 200_000 };
    const [ours, theirs] = await connectedPair({ ...limits, maxMessageBytes: 100_000 });
    let sent = 0;
    const writing = (async () => {
      for (; sent < 40; sent += 1) await ours.send(new Uint8Array(50_000));
    })();
    const first = await theirs.receive();
    expect(first?.message.length).to.equal(50_000);
    expect(sent).to.be.lessThan(12);
    for (let received = 1; received < 40; received += 1) await theirs.receive();
    await writing;
    expect(sent).to.equal(40);
  });

  it('takes exactly one of a key, several keys, and none at all by name', async () => {
    const wrong: BindOptions[] = [
      {},
      { insecure: false },
      { key: KEY, keys: [KEY] },
      { key: KEY, insecure: true },
      { keys: [] },
      { key: new Uint8Array(31) },
    ];
    for (const options of wrong) {
      const refused = await RudpEndpoint.bind(options).catch((error: unknown) => error);
      expect(refused).to.be.instanceOf(RudpError).and.to.include({ code: 'invalid' });
    }
    const server = await RudpEndpoint.bind({ insecure: true });
    const client = await RudpEndpoint.bind({ insecure: true });
    open.push(server, client);
    await client.connect('127.0.0.1', server.port);
  });

  it('lets nobody in who has another key, and tells both sides of it', async () => {
    const told: string[] = [];
    const onStranger = (address: string, reason: string): void => {
      told.push(`${address} ${reason}`);
    };
    const server = await bind({ onStranger });
    const handshakeTimeoutMs = 100;
    const client = await bind({ key: new Uint8Array(32), handshakeTimeoutMs, onStranger });
    const refused = await client.connect('127.0.0.1', server.port).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(RudpError).and.to.include({ code: 'refused' });
    expect(told.length).to.equal(2);
    expect(told[0]).to.include(`:${client.port} its hello is under none of our keys`);
    expect(told[1]).to.include(`:${server.port} it gives out cookies, but does not answer`);
    const rotating = await bind({ keys: [new Uint8Array(32), KEY], handshakeTimeoutMs });
    const member = await bind();
    await member.connect('127.0.0.1', rotating.port);
  });

  it('rejects a connect that nobody answers, and a send after the end', async () => {
    const gone = await RudpEndpoint.bind({ key: KEY });
    const { port } = gone;
    await gone.close();
    const client = await bind({ handshakeTimeoutMs: 50 });
    const refused = await client.connect('127.0.0.1', port).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(RudpError).and.to.include({ code: 'refused' });
    const [ours] = await connectedPair();
    await ours.close();
    const closed = await ours.send(new Uint8Array(1)).catch((error: unknown) => error);
    expect(closed).to.be.instanceOf(RudpError).and.to.include({ code: 'closed' });
    expect(await ours.receive()).to.equal(undefined);
  });

  it('tells readers and acceptors of the end', async () => {
    const server = await bind();
    const accepting = server.accept();
    await server.close();
    expect(await accepting).to.equal(undefined);
    expect(await server.accept()).to.equal(undefined);
  });

  it('answers requests both ways, the quick before the slow, and those that came before the handler', async () => {
    const [ours, theirs] = await connectedPair();
    const early = ours.request(Uint8Array.of(1));
    let releaseSlow = (): void => undefined;
    const slow = new Promise<void>((resolve) => (releaseSlow = resolve));
    const order: number[] = [];
    const ask = async (number: number): Promise<void> => {
      order.push((await ours.request(Uint8Array.of(number)))[0]!);
    };
    theirs.onRequest(async (request) => {
      if (request[0] === 2) await slow;
      return Uint8Array.of(10 * request[0]!);
    });
    expect([...(await early)]).to.eql([10]);
    const both = [ask(2), ask(3)];
    await both[1];
    releaseSlow();
    await Promise.all(both);
    expect(order).to.eql([30, 20]);
    ours.onRequest(() => new Uint8Array(100_000).fill(7));
    expect(await theirs.request(new Uint8Array(0))).to.eql(new Uint8Array(100_000).fill(7));
  });

  it('tells a requester of a failing handler, an abort and the end of the connection', async () => {
    const [ours, theirs] = await connectedPair();
    const rejection = async (promise: Promise<unknown>): Promise<unknown> =>
      promise.then(
        () => 'no rejection',
        (error: unknown) => error,
      );
    const controller = new AbortController();
    const aborted = rejection(ours.request(new Uint8Array(1), { signal: controller.signal }));
    controller.abort(new Error('changed my mind'));
    expect(await aborted).to.have.property('message', 'changed my mind');
    const lost = rejection(ours.request(new Uint8Array(3)));
    theirs.onRequest((request) => {
      if (request.length === 3) return new Promise<Uint8Array>(() => undefined);
      throw new Error('out of order');
    });
    const failed = await rejection(ours.request(new Uint8Array(2)));
    expect(failed).to.be.instanceOf(RudpError).with.property('code', 'failed');
    expect(failed).to.have.property('message').that.includes('out of order');
    await theirs.close(256, 'enough', 0);
    expect(await lost)
      .to.be.instanceOf(RudpError)
      .with.property('code', 'closed');
    expect(await rejection(ours.request(new Uint8Array(1)))).to.have.property('code', 'closed');
  });

  it('keeps the channels of requests to itself, and sends nothing that is aborted', async () => {
    const [ours] = await connectedPair({ sendBufferBytes: 100_000 });
    const refused = ours.send(new Uint8Array(1), { channel: 2 ** 31 });
    expect(await refused.catch((error: unknown) => error)).to.have.property('code', 'invalid');
    const signal = AbortSignal.abort(new Error('too late'));
    const late = ours.send(new Uint8Array(1), { signal });
    expect(await late.catch((error: unknown) => error)).to.have.property('message', 'too late');
  });
});
