import { expect } from 'chai';
import { RudpError } from '../../rudp/errors.ts';
import { Cluster, short, text, twoNodes, type Node } from './linked_nodes.ts';
import { underSeeds } from './simulated_pair.ts';

/** Every `up` of a key is followed by its `down` before the next, and messages come between. */
const expectExactOrder = (node: Node): void => {
  const up = new Map<string, number>();
  for (const event of node.events) {
    if (event.type === 'up') {
      expect(up.has(event.peer), `up twice: ${event.peer}`).to.equal(false);
      up.set(event.peer, event.incarnation);
    } else if (event.type === 'down') {
      expect(up.get(event.peer), `down without up: ${event.peer}`).to.equal(event.incarnation);
      up.delete(event.peer);
    } else if (event.type === 'message') {
      expect(up.has(event.peer), `message without up: ${event.peer}`).to.equal(true);
    }
  }
  expect([...up.keys()].sort()).to.eql(node.links.up().sort());
};

describe('peer links', () => {
  it('make one link between two nodes, dialled by the lower name', () => {
    const { cluster, n1, n2 } = twoNodes();
    cluster.runFor(1_000);
    expect(short(n1)).to.eql(['up n2/1']);
    expect(short(n2)).to.eql(['up n1/1']);
    expect(n2.events[0]).to.include({ address: n1.address });
  });

  it('stay under their name when the peer moves, and are cut when it is set to be elsewhere', () => {
    const { cluster, n1, n2 } = twoNodes();
    cluster.runFor(1_000);
    const set = n2.address;
    n2.address = '10.0.7.7:7';
    n2.links.send('n1', 0, text('hello from elsewhere'), cluster.now);
    cluster.runFor(1_000);
    n1.links.send('n2', 0, text('hello there'), cluster.now);
    cluster.runFor(1_000);
    // What was set already, and where the peer is: neither is news.
    n1.links.setPeer('n2', set, 'lower-name');
    n1.links.setPeer('n2', n2.address, 'lower-name');
    cluster.runFor(1_000);
    expect(short(n1)).to.eql(['up n2/1', 'n2: hello from elsewhere']);
    expect(short(n2)).to.eql(['up n1/1', 'n1: hello there']);
    n1.links.setPeer('n2', set, 'lower-name');
    cluster.runFor(10);
    expect(short(n1).at(-1)).to.equal('down n2/1');
  });

  it('end with one link when both sides dial at once', () => {
    underSeeds([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], (seed) => {
      const cluster = new Cluster(seed, { jitterMs: 5, loss: 0.1 });
      const n1 = cluster.add('n1');
      const n2 = cluster.add('n2');
      n1.links.setPeer('n2', n2.address, 'always');
      n2.links.setPeer('n1', n1.address, 'always');
      cluster.runFor(5_000);
      for (const node of [n1, n2]) {
        expectExactOrder(node);
        expect(node.links.up().length).to.equal(1);
        expect(node.events.length, 'ups and downs').to.be.at.most(3);
      }
      expect(n1.links.send('n2', 0, text('hello'), cluster.now)).to.equal(true);
      expect(n2.links.send('n1', 0, text('hello'), cluster.now)).to.equal(true);
      cluster.runFor(2_000);
      expect(short(n1).at(-1)).to.equal('n2: hello');
      expect(short(n2).at(-1)).to.equal('n1: hello');
    });
  });

  it('queue messages until the link is up, up to a bound', () => {
    const { cluster, n1, n2 } = twoNodes();
    expect(n1.links.send('n2', 5, text('first'), 0)).to.equal(true);
    expect(n1.links.send('n2', 5, new Uint8Array(10_000 - 5 - 2 * 64), 0)).to.equal(true);
    expect(n1.links.send('n2', 5, new Uint8Array(0), 0)).to.equal(false);
    expect(n1.links.send('n3', 5, text('lost'), 0)).to.equal(false);
    cluster.runFor(1_000);
    expect(short(n2).slice(0, 2)).to.eql(['up n1/1', 'n1: first']);
    expect(n2.events.length).to.equal(3);
  });

  it('send urgent messages first, those that waited for the link too', () => {
    const { cluster, n1, n2 } = twoNodes();
    for (const life of ['queued', 'up']) {
      n1.links.send('n2', 1, text(`${life} contents`), cluster.now);
      n1.links.send('n2', 2, text(`${life} lease`), cluster.now, 'urgent');
      cluster.runFor(1_000);
    }
    const messages = short(n2).slice(1);
    expect(messages.slice(0, 2)).to.eql(['n1: queued lease', 'n1: queued contents']);
    expect(messages.slice(2)).to.eql(['n1: up lease', 'n1: up contents']);
  });

  it('tell a programming error from a full queue', () => {
    const { cluster, n1 } = twoNodes();
    cluster.runFor(1_000);
    const tooLong = new Uint8Array(16 * 1024 * 1024 + 1);
    expect(() => n1.links.send('n2', 0, tooLong, cluster.now)).to.throw(
      RudpError,
      'takes 16777216',
    );
    expect(() => n1.links.send('n2', -1, text('x'), cluster.now)).to.throw(RudpError, 'channel -1');
  });

  it('dial a dead peer until it lives', () => {
    const { cluster, n1, n2 } = twoNodes();
    n2.alive = false;
    cluster.runFor(20_000);
    expect(short(n1)).to.eql([]);
    n2.alive = true;
    cluster.runFor(1_100);
    expect(short(n1)).to.eql(['up n2/1']);
    // The next failure finds the shortest wait again.
    cluster.restart(n2, 2);
    n2.links.setPeer('n1', n1.address, 'lower-name');
    n1.links.send('n2', 0, text('who is there?'), cluster.now);
    cluster.runFor(100);
    expect(short(n1)).to.eql(['up n2/1', 'down n2/1', 'up n2/2']);
  });

  it('yield no message of a link that was cut before the message was read', () => {
    const { cluster, n1, n2 } = twoNodes();
    cluster.runFor(500);
    n2.reading = false;
    n1.links.send('n2', 0, text('late'), cluster.now);
    cluster.runFor(100);
    n2.links.removePeer('n1', cluster.now);
    cluster.read(n2);
    expect(short(n2)).to.eql(['up n1/1', 'down n1/1']);
  });

  it('notice a restarted peer within a second of the next message, and come up again', () => {
    const { cluster, n1, n2 } = twoNodes();
    cluster.runFor(1_000);
    cluster.restart(n2, 2);
    n2.links.setPeer('n1', n1.address, 'lower-name');
    n1.links.send('n2', 0, text('to the old life'), cluster.now);
    cluster.runFor(200);
    n1.links.send('n2', 0, text('to the new life'), cluster.now);
    cluster.runFor(200);
    expect(short(n1)).to.eql(['up n2/1', 'down n2/1', 'up n2/2']);
    expect(short(n2)).to.eql(['up n1/1', 'n1: to the new life']);
  });

  it('see a peer that dials again in a new life go down and up', () => {
    const { cluster, n1, n2 } = twoNodes();
    cluster.runFor(1_000);
    cluster.restart(n1, 2);
    n1.links.setPeer('n2', n2.address, 'lower-name');
    n1.links.send('n2', 0, text('new'), cluster.now);
    cluster.runFor(1_000);
    expect(short(n2)).to.eql(['up n1/1', 'down n1/1', 'up n1/2', 'n1: new']);
  });

  it('drop what was under way when a link breaks, and never deliver it to a later life', () => {
    underSeeds([1, 2, 3, 4, 5], (seed) => {
      const cluster = new Cluster(seed, { loss: 0.2, jitterMs: 10 });
      const n1 = cluster.add('n1');
      const n2 = cluster.add('n2');
      n1.links.setPeer('n2', n2.address, 'lower-name');
      n2.links.setPeer('n1', n1.address, 'lower-name');
      for (let life = 1; life <= 5; life += 1) {
        cluster.runFor(500);
        for (let count = 0; count < 20; count += 1) {
          n1.links.send('n2', count % 3, text(`life ${life}`), cluster.now);
        }
        cluster.runFor(cluster.prng.below(30));
        const before = n2.events;
        cluster.restart(n1, life + 1);
        n1.links.setPeer('n2', n2.address, 'lower-name');
        n2.events = before;
      }
      cluster.runFor(3_000);
      expectExactOrder(n2);
      let life = 0;
      for (const event of n2.events) {
        if (event.type === 'up') life = event.incarnation;
        if (event.type !== 'message') continue;
        expect(new TextDecoder().decode(event.message)).to.equal(`life ${life}`);
      }
    });
  });

  it('know clients that were not set by name and incarnation, two of one name apart', () => {
    const cluster = new Cluster(1);
    const server = cluster.add('server');
    const first = cluster.add('client', 7);
    const second = cluster.add('client', 8);
    for (const client of [first, second]) {
      client.links.setPeer('server', server.address, 'always');
      client.links.send('server', 0, text('hello'), 0);
    }
    cluster.runFor(1_000);
    expect(server.links.up().sort()).to.eql(['client#7', 'client#8']);
    expect(server.links.send('client#7', 0, text('you are 7'), cluster.now)).to.equal(true);
    expect(server.links.send('client', 0, text('nobody'), cluster.now)).to.equal(false);
    cluster.runFor(100);
    expect(short(first)).to.eql(['up server/1', 'server: you are 7']);
    expect(short(second)).to.eql(['up server/1']);
  });

  it('give a client its bare name when it is set, from its address on', () => {
    const cluster = new Cluster(1);
    const n2 = cluster.add('n2');
    const n1 = cluster.add('n1', 3);
    const impostor = cluster.add('n1', 9);
    n1.links.setPeer('n2', n2.address, 'always');
    impostor.links.setPeer('n2', n2.address, 'always');
    cluster.runFor(1_000);
    n2.links.setPeer('n1', n1.address, 'lower-name');
    n1.links.send('n2', 0, text('hello'), cluster.now);
    cluster.runFor(100);
    expect(short(n2).slice(2)).to.eql(['down n1#3/3', 'up n1/3', 'n1: hello']);
    expect(n2.links.up().sort()).to.eql(['n1', 'n1#9']);
    const late = cluster.add('n1', 10);
    late.links.setPeer('n2', n2.address, 'always');
    cluster.runFor(500);
    expect(n2.links.up().sort()).to.eql(['n1', 'n1#10', 'n1#9']);
    expectExactOrder(n2);
  });

  it('take a set peer from any address if none was given, and then the newest life', () => {
    const cluster = new Cluster(1);
    const n2 = cluster.add('n2');
    n2.links.setPeer('n1', '', 'never');
    const join = (incarnation: number): void => {
      cluster.add('n1', incarnation).links.setPeer('n2', n2.address, 'always');
      cluster.runFor(500);
    };
    join(5);
    join(4);
    join(6);
    const lives = ['up n1/5', 'up n1#4/4', 'down n1/5', 'up n1/6'];
    // The life that was superseded is still there, and dials again.
    expect(short(n2)).to.eql([...lives, 'up n1#5/5']);
  });

  it('hang up on a peer of another name than the one dialled', () => {
    const cluster = new Cluster(1);
    const n1 = cluster.add('n1');
    const n3 = cluster.add('n3');
    n1.links.setPeer('n2', n3.address, 'always');
    cluster.runFor(1_000);
    expect(short(n1)).to.eql([]);
    expectExactOrder(n3);
    expect(n3.events.some(({ type }) => type === 'message')).to.equal(false);
  });

  it('follow a peer to another address, and go down when it is removed', () => {
    const cluster = new Cluster(1);
    const n1 = cluster.add('n1');
    const old = cluster.add('n2', 1);
    const moved = cluster.add('n2', 2);
    n1.links.setPeer('n2', old.address, 'always');
    cluster.runFor(500);
    n1.links.setPeer('n2', moved.address, 'always');
    cluster.runFor(500);
    n1.links.removePeer('n2', cluster.now);
    cluster.runFor(500);
    expect(short(n1)).to.eql(['up n2/1', 'down n2/1', 'up n2/2', 'down n2/2']);
    expect(n1.links.send('n2', 0, text('x'), cluster.now)).to.equal(false);
    expect(n1.links.nextTimeout()).to.equal(undefined);
    expect(short(moved)).to.eql(['up n1#1/1', 'down n1#1/1']);
  });

  it('close all at once', () => {
    const { cluster, n1, n2 } = twoNodes();
    cluster.runFor(500);
    n1.links.closeAll(256, 'leaving', cluster.now);
    cluster.runFor(20);
    expect(short(n1)).to.eql(['up n2/1', 'down n2/1']);
    expect(n2.events.at(-1)).to.include({ type: 'down', reason: 'leaving' });
  });
});
