import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect } from 'chai';
import { adviceOn, raiseBuffers } from '../../rudp/socket_buffers.ts';

const WANTED = 4 * 1024 * 1024;

describe('socket buffers', () => {
  it('are raised as far as the kernel allows', async () => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const before = socket.getRecvBufferSize();
    const { receiveBytes, sendBytes } = raiseBuffers(socket);
    expect(receiveBytes).to.be.within(before / 2, WANTED);
    expect(sendBytes).to.be.within(1, WANTED);
    socket.close();
  });

  it('that are too small are told of, with the setting that bounds them', () => {
    expect(adviceOn({ receiveBytes: WANTED, sendBytes: WANTED })).to.equal(undefined);
    const advice = adviceOn({ receiveBytes: 212_992, sendBytes: WANTED });
    expect(advice).to.include('net.core.rmem_max=4194304').and.include('212992');
    expect(advice).to.not.include('wmem_max');
    expect(adviceOn({ receiveBytes: WANTED, sendBytes: WANTED - 1 })).to.include('wmem_max');
  });
});
