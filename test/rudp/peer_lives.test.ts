import { expect } from 'chai';
import { short, text, twoNodes } from './linked_nodes.ts';

describe('peer links to a life that is named', () => {
  it('lose no message to a dead link once the new life of the peer is named', () => {
    const { cluster, n1, n2 } = twoNodes();
    for (const [self, other] of [
      [n1, n2],
      [n2, n1],
    ] as const) {
      self.links.setPeer(other.name, other.address, 'lower-name', 1);
    }
    cluster.runFor(1_000);
    cluster.restart(n2, 2);
    n2.links.setPeer('n1', n1.address, 'lower-name', 1);
    n1.links.setPeer('n2', n2.address, 'lower-name', 2);
    n1.links.send('n2', 0, text('to the new life'), cluster.now);
    cluster.runFor(10);
    expect(short(n1)).to.eql(['up n2/1', 'down n2/1', 'up n2/2']);
    expect(short(n2)).to.eql(['up n1/1', 'n1: to the new life']);
  });

  it('wait for a new life that is named and dials itself', () => {
    const { cluster, n1, n2 } = twoNodes();
    n2.links.setPeer('n1', n1.address, 'lower-name', 1);
    cluster.runFor(1_000);
    cluster.restart(n1, 2);
    n2.links.setPeer('n1', n1.address, 'lower-name', 2);
    n2.links.send('n1', 0, text('to the new life'), cluster.now);
    n1.links.setPeer('n2', n2.address, 'lower-name', 1);
    cluster.runFor(10);
    expect(short(n1)).to.eql(['up n2/1', 'n2: to the new life']);
    expect(short(n2)).to.eql(['up n1/1', 'down n1/1', 'up n1/2']);
  });

  it('keep the link of a life that came before it was named', () => {
    const { cluster, n1, n2 } = twoNodes();
    n2.links.setPeer('n1', n1.address, 'lower-name', 1);
    cluster.runFor(1_000);
    cluster.restart(n1, 2);
    n1.links.setPeer('n2', n2.address, 'lower-name', 1);
    cluster.runFor(1_000);
    n2.links.setPeer('n1', n1.address, 'lower-name', 1);
    n2.links.setPeer('n1', n1.address, 'lower-name', 2);
    cluster.runFor(1_000);
    expect(short(n1)).to.eql(['up n2/1']);
    expect(short(n2)).to.eql(['up n1/1', 'down n1/1', 'up n1/2']);
  });

  it('deliver nothing that waited for a former life to the one that is named, even if clocks went back', () => {
    const { cluster, n1, n2 } = twoNodes();
    n2.alive = false;
    n1.links.setPeer('n2', n2.address, 'lower-name', 7);
    n1.links.send('n2', 0, text('to the former life'), cluster.now);
    n1.links.send('n2', 0, new Uint8Array(9_000), cluster.now);
    cluster.runFor(3_000);
    cluster.restart(n2, 6);
    n2.links.setPeer('n1', n1.address, 'lower-name');
    n1.links.setPeer('n2', n2.address, 'lower-name', 6);
    expect(n1.links.send('n2', 0, new Uint8Array(9_000), cluster.now), 'room').to.equal(true);
    n1.links.send('n2', 0, text('to the new life'), cluster.now);
    cluster.runFor(10);
    expect(short(n2)).to.eql(['up n1/1', `n1: ${'\0'.repeat(9_000)}`, 'n1: to the new life']);
  });

  it('give the bare name to the life that is named, not to a dead one that dialled from there', () => {
    const { cluster, n1, n2 } = twoNodes();
    n2.links.removePeer('n1', cluster.now);
    cluster.runFor(1_000);
    n1.alive = false;
    n2.links.setPeer('n1', n1.address, 'lower-name', 2);
    n2.links.send('n1', 0, text('to the new life'), cluster.now);
    cluster.restart(n1, 2);
    n1.links.setPeer('n2', n2.address, 'lower-name', 1);
    cluster.runFor(10);
    expect(short(n1)).to.eql(['up n2/1', 'n2: to the new life']);
    expect(short(n2)).to.eql(['up n1#1/1', 'down n1#1/1', 'up n1/2']);
  });
});
