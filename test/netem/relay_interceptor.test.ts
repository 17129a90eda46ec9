import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { CUT, NO_FAULT, type Fault } from '../../netem/fault.ts';
import { RelayInterceptor } from '../../netem/relay_interceptor.ts';
import type { Rule } from '../../netem/setting.ts';
import { SettingTable } from '../../netem/setting_table.ts';

const PEER = '10.0.0.2:7000';

interface Seen {
  readonly way: 'sent' | 'received';
  readonly peer: string;
  readonly first: number | undefined;
  readonly at: number;
}

/** An interceptor, and what goes on from it to the network and to rudp. */
const start = () => {
  const table = new SettingTable();
  const relay = new RelayInterceptor(table);
  const seen: Seen[] = [];
  const see = (way: Seen['way']) => (peer: string, bytes: Uint8Array) => {
    seen.push({ way, peer, first: bytes[0], at: performance.now() });
  };
  relay.attach({ send: see('sent'), receive: see('received') });
  const impair = (direction: Rule['direction'], change: Partial<Fault>): void => {
    const rules = [{ direction, peer: undefined, fault: { ...NO_FAULT, ...change } }];
    const id = `${direction}${table.version}`;
    table.hold({ id, kind: 'profile', label: id, seed: 1, rules }, 60_000, performance.now());
  };
  return { table, relay, seen, impair };
};

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await nextTurn();
};

describe('the relay between a socket and rudp', () => {
  it('takes nothing as long as nothing applies', () => {
    const { relay, seen } = start();
    expect(relay.outgoing(PEER, Uint8Array.of(1))).to.equal(false);
    expect(relay.incoming(PEER, Uint8Array.of(1))).to.equal(false);
    expect(seen).to.deep.equal([]);
  });

  it('sends and receives what it has held back, not before its time', async () => {
    const { relay, seen, impair } = start();
    impair('out', { delayMs: 20 });
    impair('in', { delayMs: 10 });
    const begun = performance.now();
    expect(relay.outgoing(PEER, Uint8Array.of(1))).to.equal(true);
    expect(relay.incoming(PEER, Uint8Array.of(2))).to.equal(true);
    await until(() => seen.length === 2);
    const order = seen.map(({ way, peer, first }) => [way, peer, first]);
    expect(order).to.deep.equal([
      ['received', PEER, 2],
      ['sent', PEER, 1],
    ]);
    expect((seen[0]?.at ?? 0) - begun).to.be.at.least(10);
    expect((seen[1]?.at ?? 0) - begun).to.be.at.least(20);
  });

  it('goes for an earlier datagram although it waits for a later one', async () => {
    const { relay, seen, impair } = start();
    impair('out', { delayMs: 60_000 });
    relay.outgoing(PEER, Uint8Array.of(1));
    impair('in', { delayMs: 1 });
    relay.incoming(PEER, Uint8Array.of(2));
    await until(() => seen.length === 1);
    expect(seen[0]).to.include({ way: 'received', first: 2 });
    await relay.close();
  });

  it('keeps bytes that were only lent to it', async () => {
    const { relay, seen, impair } = start();
    impair('out', { delayMs: 1 });
    const lent = Uint8Array.of(1);
    relay.outgoing(PEER, lent);
    lent[0] = 9;
    await until(() => seen.length === 1);
    expect(seen[0]?.first).to.equal(1);
  });

  it('loses what is to be lost, and nothing any more when it is cleared', () => {
    const { table, relay, impair } = start();
    impair('out', CUT);
    expect(relay.outgoing(PEER, Uint8Array.of(1))).to.equal(true);
    expect(relay.incoming(PEER, Uint8Array.of(1))).to.equal(false);
    table.clear('all');
    expect(relay.outgoing(PEER, Uint8Array.of(1))).to.equal(false);
  });

  it('sends nothing after it was closed', async () => {
    const { relay, seen, impair } = start();
    impair('out', { delayMs: 1 });
    relay.outgoing(PEER, Uint8Array.of(1));
    await relay.close();
    const end = performance.now() + 10;
    await until(() => performance.now() > end);
    expect(seen).to.deep.equal([]);
  });

  describe('with probes', () => {
    /** Two nodes whose sockets lead to each other. */
    const pair = () => {
      const sides = [start(), start()] as const;
      const toRudp: Uint8Array[] = [];
      const [near, far] = sides;
      for (const [own, other] of [[near, far] as const, [far, near] as const]) {
        own.relay.attach({
          send: (_to, bytes) => {
            if (!other.relay.incoming(PEER, bytes)) toRudp.push(bytes);
          },
          receive: (_from, bytes) => toRudp.push(bytes),
        });
      }
      return { near, far, toRudp };
    };

    it('answers those that are expected, tells rudp of none, and lets everything else through to it', () => {
      const { near, far, toRudp } = pair();
      near.relay.probing.begin(5);
      far.relay.probing.expect(5, Infinity, 0);
      near.relay.sendProbe(PEER, near.relay.probing.next(5, performance.now()));
      expect(toRudp).to.deep.equal([]);
      expect(far.relay.probing.arrived(5)).to.equal(1);
      expect(near.relay.probing.end(5)).to.include({ sent: 1, received: 1 });
      near.relay.sendProbe(PEER, Uint8Array.of(1, 2, 3));
      expect(toRudp).to.deep.equal([Uint8Array.of(1, 2, 3)]);
    });

    it('impairs them like all datagrams, on both ways', async () => {
      const { near, far, toRudp } = pair();
      near.impair('out', { delayMs: 4 });
      near.impair('in', { delayMs: 3 });
      far.impair('out', { delayMs: 2 });
      far.impair('in', { delayMs: 1 });
      near.relay.probing.begin(5);
      far.relay.probing.expect(5, Infinity, 0);
      near.relay.sendProbe(PEER, near.relay.probing.next(5, performance.now()));
      expect(far.relay.probing.arrived(5)).to.equal(0);
      await until(() => far.relay.probing.arrived(5) === 1);
      // What is sent after the answer comes after it.
      far.relay.sendProbe(PEER, Uint8Array.of(7));
      await until(() => toRudp.length === 1);
      const { received, leastMs } = near.relay.probing.end(5);
      expect(received).to.equal(1);
      expect(leastMs).to.be.at.least(10);
      expect(toRudp).to.deep.equal([Uint8Array.of(7)]);
    });
  });
});
