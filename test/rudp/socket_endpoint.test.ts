import { expect } from 'chai';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RudpError } from '../../rudp/errors.ts';
import { SocketEndpoint, type DatagramCore } from '../../rudp/socket_endpoint.ts';

/** A core that only notes what it is told. */
class RecordingCore implements DatagramCore<string> {
  readonly calls: string[] = [];
  readonly events: string[] = [];
  readonly transmits: { to: string; bytes: Uint8Array }[] = [];
  due: number | undefined;

  handleDatagram(_from: string, datagram: Uint8Array): void {
    this.calls.push(`datagram ${datagram.join()}`);
    this.events.push(`event ${datagram.join()}`);
  }

  handleTimeout(): void {
    this.calls.push('timeout');
    this.due = undefined;
  }

  nextTimeout(): number | undefined {
    return this.due;
  }

  pollTransmit(): { to: string; bytes: Uint8Array } | undefined {
    return this.transmits.shift();
  }

  pollEvent(): string | undefined {
    return this.events.shift();
  }
}

/** Lets turns of the event loop pass until `done`; a test must not hang if that never comes. */
const turnsUntil = async (done: () => boolean): Promise<void> => {
  for (let turns = 0; turns < 100_000 && !done(); turns += 1) await nextTurn();
  expect(done(), 'what was waited for').to.equal(true);
};

describe('socket endpoint', () => {
  it('reads what has arrived during a pause before it tells the core of the time', async () => {
    const core = new RecordingCore();
    const socket = await SocketEndpoint.bind(core, { onEvent: () => undefined });
    const sender = createSocket('udp4');
    sender.connect(socket.port, '127.0.0.1');
    await once(sender, 'connect');
    // On a busy machine the time may come before the pause does; then the pause is tried again.
    let due = 0;
    do {
      core.calls.length = 0;
      due = socket.now() + 20;
      core.due = due;
      socket.wake();
      await nextTurn();
      await nextTurn();
    } while (core.calls.length > 0);
    sender.send(Uint8Array.from([7]));
    while (performance.now() < due + 3);
    await turnsUntil(() => core.calls.length >= 2);
    expect(core.calls).to.eql(['datagram 7', 'timeout']);
    sender.close();
    await socket.close();
  });

  it('sends what the core has, hands its events on, and closes once', async () => {
    const core = new RecordingCore();
    const events: string[] = [];
    const socket = await SocketEndpoint.bind(core, { onEvent: (event) => events.push(event) });
    for (let count = 0; count < 200; count += 1) {
      core.transmits.push({ to: socket.address, bytes: Uint8Array.from([count]) });
    }
    socket.wake();
    await turnsUntil(() => events.length >= 200);
    expect(events.at(-1)).to.equal('event 199');
    await socket.close();
    const again = await socket.close().catch((error: unknown) => error);
    expect(again).to.be.instanceOf(RudpError);
  });

  it('sends all that is left before it closes', async () => {
    const receiver = new RecordingCore();
    const other = await SocketEndpoint.bind(receiver, { onEvent: () => undefined });
    const core = new RecordingCore();
    const socket = await SocketEndpoint.bind(core, { onEvent: () => undefined });
    for (let count = 0; count < 200; count += 1) {
      core.transmits.push({ to: other.address, bytes: Uint8Array.from([count]) });
    }
    await socket.close();
    expect(core.transmits.length).to.equal(0);
    await turnsUntil(() => receiver.calls.length >= 200);
    await other.close();
  });

  it('sends on although an application throws at an event', async () => {
    const core = new RecordingCore();
    const thrown: unknown[] = [];
    const socket = await SocketEndpoint.bind(core, {
      onEvent: (event) => {
        if (thrown.length === 0) throw new Error(event);
      },
    });
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error));
    core.transmits.push({ to: socket.address, bytes: Uint8Array.from([1]) });
    socket.wake();
    await turnsUntil(() => thrown.length === 1);
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
    core.transmits.push({ to: socket.address, bytes: Uint8Array.from([2]) });
    socket.wake();
    await turnsUntil(() => core.calls.length >= 2);
    await socket.close();
  });

  it('survives a datagram that cannot be sent', async () => {
    const core = new RecordingCore();
    const socket = await SocketEndpoint.bind(core, { onEvent: () => undefined });
    core.transmits.push({ to: '127.0.0.1:99999', bytes: new Uint8Array(1) });
    core.transmits.push({ to: socket.address, bytes: new Uint8Array(70_000) });
    core.transmits.push({ to: socket.address, bytes: Uint8Array.from([1]) });
    socket.wake();
    await turnsUntil(() => core.calls.length >= 1);
    expect(core.calls).to.eql(['datagram 1']);
    expect(socket.sendErrors).to.equal(1);
    await socket.close();
  });
});
