/**
 * Ordered, unordered, with deadlines, cancelled, of all priorities, mixed at random on networks that lose,
 * double and reorder: every message arrives exactly once, or its sender is told that it may not have.
 */

import { expect } from 'chai';
import fc from 'fast-check';
import { RudpError } from '../../rudp/errors.ts';
import { PRIORITIES } from '../../rudp/priorities.ts';
import type { SendOptions } from '../../rudp/send_options.ts';
import { SimulatedPair, type SimulatedNode } from './simulated_pair.ts';

/** One call of `send`, and perhaps of `cancel` later. */
interface Action {
  readonly afterMs: number;
  readonly fromClient: boolean;
  readonly channel: number;
  readonly ordered: boolean;
  readonly priority: number;
  readonly bytes: number;
  readonly deadlineMs: number | undefined;
  /** Undefined is never. */
  readonly cancelAfterMs: number | undefined;
}

interface Sent extends Action {
  readonly ticket: number;
  readonly sequence: number;
  outcome: string;
  delivered: number;
}

const actions = fc.array(
  fc.record({
    afterMs: fc.nat(8),
    fromClient: fc.boolean(),
    channel: fc.nat(2),
    ordered: fc.boolean(),
    priority: fc.nat(2),
    bytes: fc.oneof({ weight: 4, arbitrary: fc.nat(300) }, fc.integer({ min: 300, max: 7_000 })),
    deadlineMs: fc.option(fc.integer({ min: 1, max: 120 }), { nil: undefined }),
    cancelAfterMs: fc.option(fc.nat(80), { nil: undefined, freq: 3 }),
  }),
  { minLength: 1, maxLength: 120 },
);

const network = fc.record({
  delayMs: fc.constantFrom(0, 2, 20),
  jitterMs: fc.constantFrom(0, 5),
  loss: fc.constantFrom(0, 0.05, 0.2, 0.35),
  duplicate: fc.constantFrom(0, 0.1),
  reorder: fc.constantFrom(0, 0.2),
  reorderMs: fc.constant(15),
  corrupt: fc.constantFrom(0, 0.02),
});

/** Small, so that they fill; the last lets a lone message of the greatest length pass. */
const windows = fc.constantFrom(
  {},
  { sendBufferBytes: 30_000, channelWindowBytes: 9_000, connectionWindowBytes: 16_000 },
  { maxChannels: 2, channelWindowBytes: 8_000, connectionWindowBytes: 7_064 },
);

class Run {
  readonly pair: SimulatedPair;
  readonly sent = new Map<SimulatedNode, Sent[]>();
  readonly #last = new Map<string, number>();

  constructor(seed: number, profile: object, limits: object) {
    const options = { maxMessageBytes: 7_000, ...limits };
    this.pair = new SimulatedPair(seed, profile, { client: options, server: options });
    for (const node of this.pair.nodes) this.sent.set(node, []);
    this.pair.onEvent = (node, event) => {
      if (event.type === 'settled') {
        const settled = this.sent.get(node)?.find(({ ticket }) => ticket === event.ticket);
        expect(settled?.outcome, 'told once').to.equal('open');
        if (settled !== undefined) settled.outcome = event.outcome;
      }
      if (event.type === 'message') this.#delivered(node, event.channel, event.message);
    };
    this.pair.connect();
  }

  #delivered(node: SimulatedNode, channel: number, message: Uint8Array): void {
    const sender = this.pair.nodes.find((other) => other !== node);
    const sequence = new DataView(message.buffer, message.byteOffset).getUint32(0);
    const sent = sender && this.sent.get(sender)?.[sequence];
    if (sender === undefined || sent === undefined) throw new Error('a message never sent');
    expect({ channel, length: message.length }).to.eql({ channel, length: lengthOf(sent) });
    sent.delivered += 1;
    expect(sent.delivered, `deliveries of message ${sequence}`).to.equal(1);
    if (!sent.ordered) return;
    const key = `${sender.address} ${channel}`;
    expect(sequence, `after ${this.#last.get(key)} on ${key}`).to.be.above(
      this.#last.get(key) ?? -1,
    );
    this.#last.set(key, sequence);
  }

  send(action: Action): void {
    const { pair } = this;
    const node = action.fromClient ? pair.client : pair.server;
    const list = this.sent.get(node) ?? [];
    const message = new Uint8Array(lengthOf(action));
    new DataView(message.buffer).setUint32(0, list.length);
    const { channel, ordered, deadlineMs } = action;
    const options: SendOptions = {
      channel,
      ordered,
      tracked: true,
      priority: PRIORITIES[action.priority] ?? 'normal',
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    };
    let ticket: number;
    try {
      ticket = node.endpoint.send(node.connection, message, options, pair.now);
    } catch (error) {
      if (error instanceof RudpError && error.code === 'buffer-full') return;
      throw error;
    }
    list.push({ ...action, ticket, sequence: list.length, outcome: 'open', delivered: 0 });
  }

  /** Cancels what is due, up to now. */
  cancel(startedAt: ReadonlyMap<Sent, number>): void {
    for (const [sent, at] of startedAt) {
      const { ticket, fromClient, cancelAfterMs = Infinity } = sent;
      if (at + cancelAfterMs > this.pair.now || sent.outcome !== 'open') continue;
      const node = fromClient ? this.pair.client : this.pair.server;
      node.endpoint.cancel(node.connection, ticket);
    }
  }

  get all(): Sent[] {
    return [...this.sent.values()].flat();
  }

  stats(): { buffered: number; channels: number; incomplete: number; held: number }[] {
    return this.pair.nodes.map(({ endpoint, connection }) => {
      const { bufferedBytes, activeChannels, incompleteMessages, receiveHeldBytes } =
        endpoint.stats(connection);
      return {
        buffered: bufferedBytes,
        channels: activeChannels,
        incomplete: incompleteMessages,
        held: receiveHeldBytes,
      };
    });
  }
}

const lengthOf = ({ bytes }: Action): number => Math.max(4, bytes);
const EMPTY = { buffered: 0, channels: 0, incomplete: 0, held: 0 };

describe('messages of every mode', () => {
  it('arrive once and in order, or are reported; and nothing of them stays behind', () => {
    fc.assert(
      fc.property(fc.nat(), network, windows, actions, (seed, profile, limits, all) => {
        const run = new Run(seed, profile, limits);
        const { pair } = run;
        const startedAt = new Map<Sent, number>();
        for (const action of all) {
          pair.runFor(action.afterMs);
          run.send(action);
          for (const sent of run.all) if (!startedAt.has(sent)) startedAt.set(sent, pair.now);
          run.cancel(startedAt);
        }
        pair.runUntil(() => {
          run.cancel(startedAt);
          return (
            run.all.every(({ outcome }) => outcome !== 'open') &&
            run.stats().every(({ buffered }) => buffered === 0)
          );
        }, 'the end of every message');
        for (const { outcome, delivered, deadlineMs, cancelAfterMs } of run.all) {
          if (outcome === 'acknowledged') expect(delivered).to.equal(1);
          if (outcome === 'deadline') expect(deadlineMs).to.not.equal(undefined);
          if (outcome === 'cancelled') expect(cancelAfterMs).to.not.equal(undefined);
        }
        expect(run.stats()).to.eql([EMPTY, EMPTY]);
      }),
      { numRuns: 300 },
    );
  });
});
