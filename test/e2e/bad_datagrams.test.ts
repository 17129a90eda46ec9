import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { expect } from 'chai';
import fc from 'fast-check';
import { decode, encode } from '../../protocol/codec.ts';
import { FsError } from '../../protocol/errors.ts';
import type { ClientId, FileNumber, NodeId } from '../../protocol/ids.ts';
import type { Message, MessageType } from '../../protocol/messages.ts';
import { RudpEndpoint, type RudpConnection } from '../../rudp/index.ts';
import { anyMessage } from '../protocol/samples.ts';
import { Prng } from '../sim/prng.ts';
import { get, HOST, KEY, LocalCluster, put, until } from './local_cluster.ts';

const SEED = 20_261_122;
const MAX_DATAGRAM_BYTES = 65_507;
const DAMAGED_HELLOS = 64;
/** Magic and version lie within the first bytes of a hello: each of these is damaged in turn. */
const FIRST_BYTES = 24;
const NODES = ['n1', 'n2'] as const;

describe('daemons under bad input by UDP', function () {
  this.timeout(30_000);
  let cluster: LocalCluster;
  let socket: Socket;
  const endpoints: RudpEndpoint[] = [];

  beforeEach(async () => {
    cluster = await LocalCluster.start();
    socket = createSocket('udp4');
    socket.bind(0, HOST);
    await once(socket, 'listening');
  });

  afterEach(async () => {
    socket.close();
    for (const endpoint of endpoints.splice(0)) await endpoint.close(0);
    await cluster.close();
  });

  const ports = (): number[] => [
    cluster.server.address.port,
    ...NODES.map((node) => cluster.cachers.get(node)?.address.port ?? 0),
  ];

  const send = (bytes: Uint8Array, port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.send(bytes, port, HOST, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });

  const endpointAs = async (name: string): Promise<RudpEndpoint> => {
    const endpoint = await RudpEndpoint.bind({ name, incarnation: 7, key: KEY });
    endpoints.push(endpoint);
    return endpoint;
  };

  const dial = async (name: string, port: number): Promise<RudpConnection> =>
    (await endpointAs(name)).connect(HOST, port);

  /** Writes and reads on both nodes while `attack` goes on, and once more after it. */
  const serveDuring = async (attack: () => Promise<void>): Promise<number> => {
    const [first, second] = [await cluster.at('n1'), await cluster.at('n2')];
    let attacking = true;
    let rounds = 0;
    const over = attack().finally(() => {
      attacking = false;
    });
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it changes meanwhile
    for (; attacking || rounds < 3; rounds++) {
      const number = 200 + (rounds % 8);
      const text = `round ${rounds}`;
      await put(rounds % 2 === 0 ? first : second, number, text);
      expect(await get(rounds % 2 === 0 ? second : first, number, text.length)).to.equal(text);
    }
    await over;
    return rounds;
  };

  it('serve on while random datagrams of 0 to 65,507 bytes come', async () => {
    const random = new Prng(SEED);
    const lengths = [
      0,
      1,
      2,
      3,
      4,
      8,
      20,
      1199,
      1200,
      1201,
      1500,
      9000,
      65_506,
      MAX_DATAGRAM_BYTES,
    ];
    for (let count = 0; count < 100; count++) lengths.push(random.below(2000));
    await serveDuring(async () => {
      for (const length of lengths) {
        const bytes = Uint8Array.from({ length }, () => random.below(256));
        for (const port of ports()) await send(bytes, port);
      }
    });
  });

  it('serve on while hellos with a wrong magic, version or any wrong bit come', async () => {
    const random = new Prng(SEED);
    // A real hello, taken from an endpoint that dials us.
    const [hello] = await Promise.all([
      once(socket, 'message') as Promise<[Buffer]>,
      endpointAs('dialler').then((endpoint) => {
        endpoint.connect(HOST, socket.address().port).catch(() => undefined);
      }),
    ]);
    const [whole] = hello;
    await serveDuring(async () => {
      for (let count = 0; count < DAMAGED_HELLOS; count++) {
        const bytes = Uint8Array.from(whole);
        const at = count < FIRST_BYTES ? count : random.below(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        for (const port of ports()) await send(bytes, port);
        await send(whole.subarray(0, random.below(whole.length)), ports()[count % 3] ?? 0);
      }
    });
  });

  /** Encodings of messages, cut short or with one bit flipped; none that takes part as a member would. */
  const damaged = (count: number): Uint8Array[] => {
    const random = new Prng(SEED);
    // Who takes a file and then says nothing more is a lost node, which is another matter.
    const taking: readonly MessageType[] = [
      'getShared',
      'getModified',
      'recirculate',
      'writeThrough',
    ];
    const all: Uint8Array[] = [];
    for (const message of fc.sample(anyMessage, { numRuns: count, seed: SEED })) {
      const bytes = encode(message).slice();
      const cut = bytes.subarray(0, random.below(bytes.length + 1));
      const flipped = bytes.slice();
      const at = random.below(bytes.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
      all.push(cut, flipped, bytes);
    }
    return all.filter((bytes) => {
      try {
        return !taking.includes(decode(bytes).type);
      } catch (error) {
        expect(error).to.be.instanceOf(FsError);
        return true;
      }
    });
  };

  const sendAll = async (connection: RudpConnection, messages: Uint8Array[]): Promise<void> => {
    for (const [index, bytes] of messages.entries()) {
      if (connection.closed !== undefined) return;
      await connection.send(bytes, { channel: index % 5 });
    }
    await connection.close();
  };

  it('serve on while strangers send damaged messages in sound packets', async () => {
    const messages = damaged(400);
    await serveDuring(async () => {
      const connections = await Promise.all(ports().map((port) => dial('stranger', port)));
      await Promise.all(connections.map((connection) => sendAll(connection, messages)));
    });
    expect(cluster.lines.some(({ msg }) => msg.includes('undecodable message'))).to.equal(true);
    expect(cluster.lines.some(({ msg }) => msg.includes('has no known body'))).to.equal(true);
  });

  const register = async (
    node: string,
  ): Promise<{ endpoint: RudpEndpoint; connection: RudpConnection; registration: ClientId }> => {
    const endpoint = await endpointAs(node);
    const connection = await endpoint.connect(HOST, cluster.server.address.port);
    const { address } = endpoint;
    // No pages: it is not asked to keep the second copy of anything.
    const fields = { node: node as NodeId, incarnation: 7, address, pages: 0 } as const;
    const held = { holdings: [], writers: [], attempt: 1 };
    await connection.send(encode({ type: 'register', ...fields, ...held }));
    for await (const { message } of connection) {
      const answer = decode(message);
      if (answer.type !== 'registered') continue;
      // Before its first heartbeat it is given no order.
      const hints = { freePages: 0, oldestUseMs: 0, candidates: [], echo: 0 } as const;
      const beat = { type: 'heartbeat', sequence: 1, ...hints } as const;
      await connection.send(encode({ ...beat, registration: answer.firstClient }));
      return { endpoint, connection, registration: answer.firstClient };
    }
    throw new Error(`${node} was not registered`);
  };

  it('serve on while a registered member sends damaged messages', async () => {
    const messages = damaged(400);
    const { endpoint, connection: toServer } = await register('rogue');
    const [, ...cachers] = ports();
    await serveDuring(async () => {
      const toCachers = await Promise.all(cachers.map((port) => endpoint.connect(HOST, port)));
      await Promise.all(
        [toServer, ...toCachers].map((connection) => sendAll(connection, messages)),
      );
    });
  });

  it('answer a member that writes nothing, or beyond the end of a file', async () => {
    const { connection, registration } = await register('rogue');
    const place = { file: 9 as FileNumber, offset: 2 ** 32 - 1, client: 1 as ClientId };
    const lengths = [0, 1];
    await serveDuring(async () => {
      for (const [operation, length] of lengths.entries()) {
        const bytes = new Uint8Array(length);
        const write = {
          request: operation + 1,
          operation,
          bytes,
          keep: false,
          again: false,
          registration,
          ...place,
        } as const;
        await connection.send(encode({ type: 'writeThrough', ...write }));
      }
      let answers = 0;
      for await (const { message } of connection) {
        const answer = decode(message);
        if (answer.type !== 'writeThroughDone') continue;
        expect(answer.count).to.equal(0);
        const { order, file } = answer;
        await connection.send(encode({ type: 'received', order, file, held: true }));
        if (++answers === lengths.length) break;
      }
    });
  });

  it('take no part of a file from a member for the whole of it', async () => {
    const { connection } = await register('rogue');
    const file = 9 as FileNumber;
    const tell = (message: Message): Promise<unknown> => connection.send(encode(message));
    await serveDuring(async () => {
      await tell({ type: 'getModified', request: 1, file, holds: false });
      for await (const { message } of connection) {
        const order = decode(message);
        if (order.type === 'prepareOwner') {
          await tell({ type: 'ownerPrepared', order: order.order, file });
        }
        if (order.type === 'grant') {
          await tell({ type: 'granted', order: order.order, file, taken: true });
          await tell({ type: 'writeBack', request: 2, file });
        }
        if (order.type === 'collect') {
          const version = { term: 1, counter: 1 };
          const contents = {
            type: 'collected',
            order: order.order,
            file,
            version,
            outcomes: [],
          } as const;
          await tell({ ...contents, bytes: new Uint8Array(3) });
          await tell({ ...contents, bytes: new Uint8Array(1024).fill(0x77) });
        }
        if (order.type === 'writtenBack') break;
        if (order.type === 'clean') await tell({ type: 'cleaned', order: order.order, file });
      }
    });
    expect(await get(await cluster.direct(), 9, 4)).to.equal('wwww');
  });

  it('take orders from no stranger who calls himself the file server', async () => {
    const orders: Message[] = [
      { type: 'left' },
      { type: 'registrationRefused', code: 'EBUSY', message: 'go away' },
      { type: 'members', members: [] },
    ];
    const node = cluster.cachers.get('n1');
    await serveDuring(async () => {
      const connection = await dial('server', node?.address.port ?? 0);
      await sendAll(connection, orders.map(encode));
      await until(() => connection.closed !== undefined);
    });
    expect(cluster.lines.some(({ msg }) => msg === 'n1 has stopped')).to.equal(false);
    expect(cluster.lines.some(({ msg }) => msg.includes('the link to the file server'))).to.equal(
      false,
    );
  });
});
