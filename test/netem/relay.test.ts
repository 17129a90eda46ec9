import { expect } from 'chai';
import { DeliveryQueue } from '../../netem/delivery_queue.ts';
import { CUT, NO_FAULT, type Fault } from '../../netem/fault.ts';
import { Relay } from '../../netem/relay.ts';
import type { Rule, Setting } from '../../netem/setting.ts';
import { SettingTable } from '../../netem/setting_table.ts';

const rule = (
  change: Partial<Fault>,
  direction: Rule['direction'] = 'out',
  peer?: string,
): Rule => ({ direction, peer, fault: { ...NO_FAULT, ...change } });

const setting = (id: string, ...rules: readonly Rule[]): Setting => ({
  id,
  kind: 'profile',
  label: id,
  seed: 7,
  rules,
});

const start = (...settings: readonly Setting[]) => {
  const table = new SettingTable();
  for (const each of settings) table.hold(each, 1000, 0);
  return { table, relay: new Relay(table) };
};

const bytes = Uint8Array.from([1]);

describe('the relay', () => {
  it('takes nothing over as long as nothing applies', () => {
    const { relay } = start();
    expect(relay.take('out', 'b', bytes, 0)).to.equal(false);
    expect(relay.nextDelivery()).to.equal(undefined);
  });

  it('hands on what it took when its time has come, with its direction and peer', () => {
    const { relay } = start(setting('s', rule({ delayMs: 5 }), rule({ delayMs: 3 }, 'in')));
    expect(relay.take('out', 'b', bytes, 0)).to.equal(true);
    expect(relay.take('in', 'c', bytes, 0)).to.equal(true);
    expect(relay.nextDelivery()).to.equal(3);
    expect(relay.pollDelivery(2.9)).to.equal(undefined);
    expect(relay.pollDelivery(9)).to.include({ direction: 'in', peer: 'c', at: 3 });
    expect(relay.pollDelivery(9)).to.include({ direction: 'out', peer: 'b', at: 5 });
    expect(relay.pollDelivery(9)).to.equal(undefined);
  });

  it('leaves the other direction and the other peers of a rule alone', () => {
    const { relay } = start(setting('s', rule({ delayMs: 5 }, 'out', 'b')));
    expect(relay.take('in', 'b', bytes, 0)).to.equal(false);
    expect(relay.take('out', 'c', bytes, 0)).to.equal(false);
    expect(relay.take('out', 'b', bytes, 0)).to.equal(true);
  });

  it('composes what is applied twice', () => {
    const { relay, table } = start(setting('a', rule({ delayMs: 5 })));
    table.hold(setting('b', rule({ delayMs: 7 })), 1000, 0);
    relay.take('out', 'b', bytes, 0);
    expect(relay.nextDelivery()).to.equal(12);
  });

  it('goes back to what was before when one of two ends', () => {
    const { relay, table } = start(setting('a', rule({ delayMs: 5 })), setting('b', rule(CUT)));
    expect(relay.take('out', 'b', bytes, 0)).to.equal(true);
    expect(relay.underWay).to.equal(0);
    table.clear({ id: 'b' });
    relay.take('out', 'b', bytes, 0);
    expect(relay.underWay).to.equal(1);
    table.clear('all');
    expect(relay.take('out', 'b', bytes, 1)).to.equal(false);
    expect(relay.pollDelivery(5), 'what is under way arrives').to.include({ peer: 'b' });
  });

  it('has one queue of a rate for all peers of a rule, and one for each peer that is named', () => {
    const shared = start(setting('s', rule({ rate: 1e5 }))).relay;
    const apart = start(
      setting('s', rule({ rate: 1e5 }, 'out', 'b'), rule({ rate: 1e5 }, 'out', 'c')),
    );
    const last = (relay: Relay): number => {
      for (const peer of ['b', 'c']) relay.take('out', peer, new Uint8Array(100), 0);
      relay.pollDelivery(1e6);
      return relay.nextDelivery() ?? 0;
    };
    expect(last(shared)).to.be.closeTo(2 * last(apart.relay), 1e-9);
  });

  it('keeps the queue of a rate when something else is applied elsewhere', () => {
    const { relay, table } = start(setting('s', rule({ rate: 1e5 }, 'out', 'b')));
    const send = (): number => {
      relay.take('out', 'b', new Uint8Array(100), 0);
      let at = 0;
      for (let next = relay.pollDelivery(1e6); next; next = relay.pollDelivery(1e6)) {
        ({ at } = next);
      }
      return at;
    };
    const first = send();
    table.hold(setting('t', rule({ rate: 1e5 }, 'out', 'c')), 1000, 0);
    expect(send()).to.be.closeTo(2 * first, 1e-9);
  });
});

describe('the queue of what is under way', () => {
  it('gives the earliest first, and what is due together in the order of sending', () => {
    const queue = new DeliveryQueue();
    const times = Array.from({ length: 300 }, (_, index) => (index * 7919) % 50);
    times.forEach((at, index) => {
      queue.push({ at, direction: 'out', peer: String(index), bytes });
    });
    const out: [number, number][] = [];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      out.push([next.at, Number(next.peer)]);
    }
    expect(out).to.deep.equal(
      times
        .map((at, index) => [at, index] as [number, number])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]),
    );
  });
});
