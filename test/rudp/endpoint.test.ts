import { expect } from 'chai';
import { createChecksumProtection } from '../../rudp/checksum_protection.ts';
import { Endpoint } from '../../rudp/endpoint.ts';
import { CLOSE, RudpError } from '../../rudp/errors.ts';
import { VERSION } from '../../rudp/limits.ts';
import { connectionIdOf, encodeRefuse, PACKET } from '../../rudp/packet_codec.ts';
import { CLIENT, SERVER, SimulatedNode, SimulatedPair } from './simulated_pair.ts';

const codeOf = (action: () => void): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof RudpError) return error.code;
    throw error;
  }
  return 'none';
};

describe('handshake', () => {
  it('tells each side the name and incarnation of the other', () => {
    const pair = new SimulatedPair(1, {}, { client: { incarnation: 2 ** 53 - 1 } });
    pair.connect();
    expect(pair.client.of('connected')[0]).to.deep.include({
      address: SERVER,
      peer: { name: 'server', incarnation: 1 },
      initiator: true,
    });
    expect(pair.server.of('connected')[0]).to.deep.include({
      address: CLIENT,
      peer: { name: 'client', incarnation: 2 ** 53 - 1 },
      initiator: false,
    });
  });

  it('takes two and a half round trips of a silent network, and measures one', () => {
    const pair = new SimulatedPair(1, { delayMs: 10 });
    pair.connect();
    expect(pair.now).to.equal(50);
    expect(pair.client.endpoint.stats(pair.client.connection).smoothedRtt).to.equal(20);
  });

  it('sends no more than it got, and keeps no state, before the cookie has come back', () => {
    const pair = new SimulatedPair(1, {}, { server: { maxConnections: 1 } });
    const forged = new Endpoint({
      name: 'nobody',
      incarnation: 1,
      protection: createChecksumProtection(),
      random: pair.prng.next,
    });
    for (let dial = 0; dial < 50; dial += 1) {
      forged.connect(SERVER, 0);
      const hello = forged.pollTransmit(0);
      pair.server.endpoint.handleDatagram(`10.9.9.9:${dial}`, hello?.bytes ?? new Uint8Array(), 0);
      const answer = pair.server.endpoint.pollTransmit(0);
      expect(answer?.bytes.length).to.be.within(1, hello?.bytes.length ?? 0);
      expect(pair.server.endpoint.pollTransmit(0)).to.equal(undefined);
    }
    expect(pair.server.endpoint.nextTimeout()).to.equal(undefined);
    expect(pair.server.endpoint.counters.retriesSent).to.equal(50);
    pair.connect();
  });

  it('takes no cookie from another address, of another client, or of long ago', () => {
    const pair = new SimulatedPair(1);
    pair.client.endpoint.connect(SERVER, 0);
    const first = pair.client.endpoint.pollTransmit(0)?.bytes.slice() ?? new Uint8Array();
    pair.server.endpoint.handleDatagram(CLIENT, first, 0);
    const retry = pair.server.endpoint.pollTransmit(0)?.bytes ?? new Uint8Array();
    pair.client.endpoint.handleDatagram(SERVER, retry, 0);
    const second = pair.client.endpoint.pollTransmit(0)?.bytes.slice() ?? new Uint8Array();
    const answerTo = (from: string, hello: Uint8Array, now: number): number | undefined => {
      pair.server.endpoint.handleDatagram(from, hello, now);
      return pair.server.endpoint.pollTransmit(now)?.bytes[0];
    };
    const otherClient = second.slice();
    otherClient[8] = (otherClient[8] ?? 0) ^ 1;
    expect(answerTo('10.0.0.7:1000', second, 0)).to.equal(2);
    expect(answerTo(CLIENT, otherClient, 0)).to.equal(2);
    expect(answerTo(CLIENT, second, 20_000)).to.equal(2);
    expect(answerTo(CLIENT, second, 19_999)).to.equal(3);
  });

  it('answers the same hello by the same bytes', () => {
    const pair = new SimulatedPair(1);
    const answers: Uint8Array[] = [];
    const handle = pair.client.endpoint.handleDatagram.bind(pair.client.endpoint);
    pair.client.endpoint.handleDatagram = (from, bytes, now) => {
      if (bytes[0] === 3) answers.push(bytes.slice());
      handle(from, bytes, now);
    };
    pair.network.setDefaults({ duplicate: 1 });
    pair.connect();
    pair.runFor(100);
    expect(answers.length).to.be.greaterThan(1);
    for (const answer of answers) expect(answer).to.eql(answers[0]);
  });

  it('follows eight retries that bring news, from the address it dialled, and no more', () => {
    const pair = new SimulatedPair(1);
    pair.client.endpoint.connect(SERVER, 0);
    const hello = pair.client.endpoint.pollTransmit(0)?.bytes ?? new Uint8Array();
    const retry = Uint8Array.from([2, ...hello.subarray(1, 9), 1, 2, 3]);
    const follows = (from: string, cookie: number): boolean => {
      retry[9] = cookie;
      pair.client.endpoint.handleDatagram(from, retry, 0);
      return pair.client.endpoint.pollTransmit(0) !== undefined;
    };
    expect(follows('10.0.0.66:1', 1)).to.equal(false);
    expect(follows(SERVER, 1)).to.equal(true);
    expect(follows(SERVER, 1), 'the same cookie again').to.equal(false);
    for (let count = 2; count < 8; count += 1) expect(follows(SERVER, count)).to.equal(true);
    expect(follows(SERVER, 8)).to.equal(false);
  });

  it('answers a repeated hello with the same welcome, and makes one connection of it', () => {
    const pair = new SimulatedPair(1, { duplicate: 1 });
    pair.connect();
    pair.runFor(1000);
    expect(pair.server.of('connected').length).to.equal(1);
    expect(pair.client.of('connected').length).to.equal(1);
  });

  it('gives up after its time limit when nobody answers', () => {
    const pair = new SimulatedPair(1, { loss: 1 });
    const handle = pair.client.endpoint.connect(SERVER, 0);
    pair.runFor(10_000);
    expect(pair.client.events).to.eql([
      {
        type: 'closed',
        connection: handle,
        code: CLOSE.handshakeTimeout,
        reason: `no answer from ${SERVER}`,
      },
    ]);
    expect(pair.client.endpoint.nextTimeout()).to.equal(undefined);
  });

  it('forgets a client that never confirms', () => {
    const pair = new SimulatedPair(1);
    pair.client.endpoint.connect(SERVER, 0);
    for (let steps = 0; steps < 3; steps += 1) pair.step();
    pair.network.setDefaults({ loss: 1 });
    pair.runFor(60_000);
    expect(pair.server.events).to.eql([]);
    expect(pair.server.endpoint.nextTimeout()).to.equal(undefined);
  });

  it('is refused by an endpoint that takes none, that is full, or of another key or version', () => {
    const outcome = (pair: SimulatedPair): number | undefined => {
      pair.client.endpoint.connect(SERVER, pair.now);
      pair.runFor(6_000);
      return pair.client.of('closed').at(-1)?.code;
    };
    expect(outcome(new SimulatedPair(1, {}, { server: { accept: false } }))).to.equal(
      CLOSE.refused,
    );
    const full = new SimulatedPair(1, {}, { server: { maxConnections: 1 } });
    full.connect();
    expect(outcome(full)).to.equal(CLOSE.refused);
    const foreign = createChecksumProtection(7);
    const otherKey = new SimulatedPair(1, {}, { client: { protection: foreign } });
    expect(outcome(otherKey)).to.equal(CLOSE.handshakeTimeout);
    const otherCluster = new SimulatedPair(
      1,
      {},
      { client: { clusterId: 'one' }, server: { clusterId: 'two' } },
    );
    expect(outcome(otherCluster)).to.equal(CLOSE.handshakeTimeout);
    const otherVersion = new SimulatedPair(1);
    const { server, client } = otherVersion;
    const { mac } = createChecksumProtection();
    server.endpoint.handleDatagram = (_from, bytes, now) => {
      const refusal = encodeRefuse(connectionIdOf(bytes), CLOSE.versionMismatch, VERSION, mac);
      client.endpoint.handleDatagram(SERVER, refusal, now);
    };
    expect(outcome(otherVersion)).to.equal(CLOSE.versionMismatch);
  });

  it('is not refused because somebody asks in its name for another version', () => {
    const pair = new SimulatedPair(1);
    const toServer = pair.server.endpoint.handleDatagram.bind(pair.server.endpoint);
    let asked = 0;
    pair.server.endpoint.handleDatagram = (from, bytes, now) => {
      const other = bytes.slice();
      other[13] = 9;
      if (bytes[0] === PACKET.hello) asked += 1;
      toServer(from, bytes[0] === PACKET.hello ? other : bytes, now);
      if (bytes[0] === PACKET.hello) toServer(from, bytes, now);
    };
    pair.connect();
    expect(pair.server.endpoint.counters.refusesSent).to.equal(asked).and.greaterThan(0);
  });

  it('is not begun beyond the number of connections', () => {
    const pair = new SimulatedPair(1, {}, { client: { maxConnections: 2 } });
    pair.client.endpoint.connect(SERVER, 0);
    pair.client.endpoint.connect(SERVER, 0);
    expect(codeOf(() => pair.client.endpoint.connect(SERVER, 0))).to.equal('refused');
  });
});

describe('connection', () => {
  it('refuses to send before it is connected, on a bad channel, and after its end', () => {
    const pair = new SimulatedPair(1);
    const handle = pair.client.endpoint.connect(SERVER, 0);
    const send = (channel: number) =>
      codeOf(() => {
        pair.client.endpoint.send(handle, new Uint8Array(1), { channel }, pair.now);
      });
    expect(send(0)).to.equal('not-connected');
    pair.runUntil(() => pair.server.of('connected').length === 1, 'connected');
    expect(send(-1)).to.equal('invalid');
    expect(send(1.5)).to.equal('invalid');
    expect(send(2 ** 32)).to.equal('invalid');
    expect(send(2 ** 32 - 1)).to.equal('none');
    pair.client.endpoint.close(handle, 256, '', pair.now);
    expect(send(0)).to.equal('closed');
  });

  it('closes at once, tells the peer code and reason, and leaves nothing behind', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    pair.send(new Uint8Array(100_000));
    pair.client.endpoint.close(pair.client.connection, 300, 'enough', pair.now);
    pair.runFor(5_000);
    for (const node of pair.nodes) {
      expect(node.of('closed')).to.eql([
        { type: 'closed', connection: node.connection, code: 300, reason: 'enough' },
      ]);
      expect(node.endpoint.nextTimeout()).to.equal(undefined);
      expect(codeOf(() => node.endpoint.stats(node.connection))).to.equal('closed');
    }
    expect(pair.server.of('message')).to.eql([]);
  });

  it('closes although its first close is lost: what comes in later is answered by it', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    pair.runFor(100);
    pair.network.setLink(CLIENT, SERVER, { loss: 1 });
    pair.client.endpoint.close(pair.client.connection, 300, 'enough', pair.now);
    pair.flush();
    pair.network.clearLink(CLIENT, SERVER);
    const { connection } = pair.server;
    pair.server.endpoint.send(connection, new Uint8Array(10), {}, pair.now);
    pair.runFor(20);
    expect(pair.server.of('closed')[0]).to.include({ code: 300, reason: 'enough' });
  });

  it('ends with its idle timeout when the peer falls silent, and not while pings go', () => {
    const options = { idleTimeoutMs: 3_000, keepaliveMs: 1_000 };
    const pair = new SimulatedPair(1, {}, { client: options });
    pair.connect();
    pair.runFor(60_000);
    expect(pair.client.of('closed')).to.eql([]);
    expect(pair.server.of('closed')).to.eql([]);
    pair.network.setDefaults({ loss: 1 });
    const silentFrom = pair.now;
    pair.runUntil(() => pair.client.of('closed').length === 1, 'the idle timeout');
    expect(pair.client.of('closed')[0]).to.include({ code: CLOSE.idleTimeout });
    expect(pair.now - silentFrom).to.be.within(2_000, 6_200);
    pair.runUntil(() => pair.server.of('closed').length === 1, 'the peer’s idle timeout');
  });

  it('falls silent soon when both sides close at once', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    pair.runFor(100);
    const before = pair.network.counters.sent;
    for (const { endpoint, connection } of pair.nodes) {
      endpoint.close(connection, 300, '', pair.now);
    }
    pair.runFor(5_000);
    expect(pair.network.counters.sent - before).to.equal(2);
  });

  it('outlives an idle timeout that is shorter than three probe timeouts', () => {
    const options = { idleTimeoutMs: 10, keepaliveMs: 0, handshakeTimeoutMs: 5_000 };
    const pair = new SimulatedPair(1, { delayMs: 30 }, { client: options, server: options });
    pair.connect();
    const connectedAt = pair.now;
    pair.runUntil(() => pair.client.of('closed').length === 1, 'the idle timeout');
    expect(pair.now - connectedAt).to.be.greaterThan(3 * 60);
  });

  it('is one of several that one process may have with another', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    pair.connect();
    pair.runFor(100);
    expect(pair.server.of('connected').length).to.equal(2);
    expect(pair.server.of('closed')).to.eql([]);
  });

  it('has the shorter idle timeout of the two sides', () => {
    const options = { keepaliveMs: 0 };
    const pair = new SimulatedPair(
      1,
      {},
      { client: options, server: { ...options, idleTimeoutMs: 700 } },
    );
    pair.connect();
    pair.runFor(1_000);
    expect(pair.client.of('closed')[0]).to.include({ code: CLOSE.idleTimeout });
    expect(pair.server.of('closed')[0]).to.include({ code: CLOSE.idleTimeout });
  });

  it('learns of a restarted peer by a reset to its next packet', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    pair.runFor(100);
    pair.server.endpoint = pair.createEndpoint('server', 2);
    pair.send(new Uint8Array(10));
    pair.runFor(5);
    expect(pair.client.of('closed')[0]).to.include({ code: CLOSE.reset });
    expect(pair.server.endpoint.counters.resetsSent).to.equal(1);
  });

  it('believes no reset of a wrong key, name or address', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    pair.runFor(100);
    const resetBy = (endpoint: Endpoint, from: string): void => {
      pair.send(new Uint8Array(10));
      const packet = pair.client.endpoint.pollTransmit(pair.now)?.bytes ?? new Uint8Array();
      endpoint.handleDatagram(CLIENT, packet, pair.now);
      const reset = endpoint.pollTransmit(pair.now)?.bytes ?? new Uint8Array();
      expect(reset[0]).to.equal(5);
      expect(reset.length).to.be.lessThan(packet.length);
      pair.client.endpoint.handleDatagram(from, reset, pair.now);
    };
    const protection = createChecksumProtection(7);
    resetBy(pair.createEndpoint('server', 2, { protection }), SERVER);
    resetBy(pair.createEndpoint('other', 2), SERVER);
    resetBy(pair.createEndpoint('server', 2), '10.0.0.3:1');
    pair.flush();
    expect(pair.client.of('closed')).to.eql([]);
    resetBy(pair.createEndpoint('server', 2), SERVER);
    pair.flush();
    expect(pair.client.of('closed').length).to.equal(1);
  });

  it('sends at most a hundred resets in one second', () => {
    const pair = new SimulatedPair(1);
    const stray = new Uint8Array(50).fill(6);
    stray[1] = 0;
    stray[2] = 1;
    for (let packet = 0; packet < 300; packet += 1) {
      pair.server.endpoint.handleDatagram(CLIENT, stray, 500);
      pair.server.endpoint.pollTransmit(500);
    }
    expect(pair.server.endpoint.counters.resetsSent).to.equal(100);
    pair.server.endpoint.handleDatagram(CLIENT, stray.subarray(0, 25), 2_000);
    expect(pair.server.endpoint.counters.resetsSent).to.equal(100);
    pair.server.endpoint.handleDatagram(CLIENT, stray.subarray(0, 26), 2_000);
    expect(pair.server.endpoint.counters.resetsSent).to.equal(101);
  });

  it('is superseded when its peer comes back from the same address in a new life', () => {
    const pair = new SimulatedPair(1);
    pair.connect();
    const old = pair.server.connection;
    pair.client.endpoint = pair.createEndpoint('client', 2);
    pair.connect();
    expect(pair.server.of('closed')).to.have.length(1);
    expect(pair.server.of('closed')[0]).to.include({ connection: old, code: CLOSE.superseded });
    const types = pair.server.events.map(({ type }) => type);
    expect(types).to.eql(['connected', 'closed', 'connected']);
  });

  it('of a namesake at another address is superseded only by option', () => {
    for (const supersede of ['address', 'name'] as const) {
      const pair = new SimulatedPair(1, {}, { server: { supersede } });
      pair.connect();
      const namesake = new SimulatedNode('10.0.0.9:9', pair.createEndpoint('client', 2));
      Object.defineProperty(pair, 'nodes', { value: [...pair.nodes, namesake] });
      namesake.endpoint.connect(SERVER, pair.now);
      pair.runUntil(() => pair.server.of('connected').length === 2, 'the second connection');
      expect(pair.server.of('closed').length).to.equal(supersede === 'name' ? 1 : 0);
    }
  });

  it('delivers nothing more after a peer broke the rules, and says so', () => {
    const pair = new SimulatedPair(
      1,
      {},
      { server: { maxMessageBytes: 100, connectionWindowBytes: 2_000 } },
    );
    const handshake = pair.server.endpoint.options as { maxMessageBytes: number };
    handshake.maxMessageBytes = 1_000;
    pair.connect();
    handshake.maxMessageBytes = 100;
    pair.send(new Uint8Array(101));
    pair.runFor(100);
    expect(pair.server.of('message')).to.eql([]);
    expect(pair.client.of('closed')[0]).to.include({ code: CLOSE.protocolViolation });
  });
});
