import { createSocket, type Socket } from 'node:dgram';
import { expect } from 'chai';
import { takeProbePort } from '../../netem/probe_port.ts';

const LONG_MS = 60_000;

describe('the port of probes', () => {
  let before: Socket;
  let port: number;

  beforeEach(async () => {
    before = createSocket('udp4');
    await new Promise<void>((resolve) => before.bind(0, resolve));
    ({ port } = before.address());
  });

  it('is waited for while the agent before has it, and taken once that one has ended', async () => {
    let taken = false;
    const taking = takeProbePort(port, LONG_MS).then((socket) => {
      taken = true;
      return socket;
    });
    // One that waits has failed by then.
    await takeProbePort(port, 0).catch(() => undefined);
    expect(taken).to.equal(false);
    before.close();
    const socket = await taking;
    expect(socket.address().port).to.equal(port);
    socket.close();
  });

  it('is not waited for without end', async () => {
    const error = await takeProbePort(port, 50).then(() => 'it has it', String);
    before.close();
    expect(error).to.match(new RegExp(`no probes can be taken at UDP port ${port}: .*EADDRINUSE`));
  });
});
