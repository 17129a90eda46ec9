/** Sends of an application with promises, over the simulated pair. */

import { expect } from 'chai';
import { RudpError } from '../../rudp/errors.ts';
import { MessageSender, type MessageOptions } from '../../rudp/message_sender.ts';
import { SimulatedPair } from './simulated_pair.ts';

const FULL = 10_000 - 64;

/** A sender whose buffer holds 10,000 bytes, and whose events are told to it. */
class Application {
  readonly pair = new SimulatedPair(1, { delayMs: 10 }, { client: { sendBufferBytes: 10_000 } });
  readonly sender: MessageSender;
  readonly told: string[] = [];

  constructor() {
    const { pair } = this;
    pair.connect();
    const { endpoint, connection } = pair.client;
    const driver = { endpoint, now: () => pair.now, wake: () => undefined };
    this.sender = new MessageSender(driver, connection);
    pair.onEvent = (node, event) => {
      if (node !== pair.client) return;
      if (event.type === 'drain') this.sender.drain();
      if (event.type === 'settled') this.sender.settled(event.ticket, event.outcome);
      if (event.type === 'closed') this.sender.finish(new RudpError('closed', 'over'));
    };
  }

  /** Sends; notes when the promise settles, and what becomes of the message. */
  send(name: string, bytes: number, options: MessageOptions = {}): Promise<void> {
    const onSettled = (outcome: string): void => {
      this.told.push(`${name} ${outcome}`);
    };
    return this.sender.send(new Uint8Array(bytes).fill(name.charCodeAt(0)), {
      ...options,
      onSettled,
    });
  }

  /** What has arrived, by the names. */
  get arrived(): string {
    const names = this.pair.server
      .of('message')
      .map(({ message }) => String.fromCharCode(message[0] ?? 0));
    return names.join('');
  }
}

const rejection = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'nothing',
    (error: unknown) => error,
  );

describe('sends with promises', () => {
  it('wait for room in the order of the calls, and are told of each message', async () => {
    const application = new Application();
    const { pair } = application;
    await application.send('a', FULL);
    const waiting = [
      application.send('b', 500),
      application.send('c', 1),
      application.send('d', 1),
    ];
    pair.runFor(200);
    await Promise.all(waiting);
    pair.runFor(200);
    expect(application.told).to.eql(['a', 'b', 'c', 'd'].map((name) => `${name} acknowledged`));
  });

  it('that are urgent go past those that wait, but not on their own channel', async () => {
    const application = new Application();
    await application.send('a', FULL);
    const waiting = [
      application.send('b', 1, { channel: 1 }),
      application.send('c', 1, { channel: 1, priority: 'urgent' }),
    ];
    await application.send('d', 1, { channel: 2, priority: 'urgent' });
    application.pair.runFor(200);
    await Promise.all(waiting);
    application.pair.runFor(200);
    expect(application.arrived).to.equal('dabc');
  });

  it('are rejected when they are aborted or late before there is room', async () => {
    const application = new Application();
    await application.send('a', FULL);
    const controller = new AbortController();
    const aborted = rejection(application.send('b', 1, { signal: controller.signal }));
    const late = rejection(application.send('c', 1, { deadlineMs: 5 }));
    const never = application.send('d', 1);
    controller.abort(new Error('no need'));
    expect(await aborted).to.have.property('message', 'no need');
    application.pair.runFor(200);
    expect(await late).to.include({ code: 'deadline' });
    await never;
    application.pair.runFor(200);
    expect(application.arrived).to.equal('ad');
    expect(application.told).to.eql(['a acknowledged', 'd acknowledged']);
  });

  it('can be aborted after they were accepted', async () => {
    const application = new Application();
    const { pair } = application;
    pair.network.setDefaults({ loss: 1 });
    const controller = new AbortController();
    await application.send('a', 1, { signal: controller.signal });
    await application.send('b', 1);
    pair.runFor(50);
    controller.abort();
    pair.runFor(1);
    expect(application.told).to.eql(['a cancelled']);
    pair.network.setDefaults({ loss: 0 });
    pair.runFor(2_000);
    expect(application.arrived).to.equal('b');
  });

  it('tell of the end of the connection, those that wait and those under way', async () => {
    const application = new Application();
    const { pair } = application;
    await application.send('a', FULL);
    const waiting = rejection(application.send('b', 1));
    pair.client.endpoint.close(pair.client.connection, 256, 'enough', pair.now);
    pair.runFor(1);
    expect(await waiting).to.include({ code: 'closed' });
    expect(application.told).to.eql(['a closed']);
  });
});
