import { expect } from 'chai';
import {
  handleApplication,
  handleApplicationClosed,
  handleMessage,
  handlePeerUp,
  handleTimeout,
  newCacher,
  pollCommand,
} from '../../cacher/cacher_core.ts';
import { RETRY_MS } from '../../cacher/registration.ts';
import { COURSE } from '../../cacher/replacement.ts';
import { SERVER, type ClientId, type FileNumber, type NodeId } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';

describe('an application that goes while it waits to open a file', () => {
  it('is not opened for later, when the request would be repeated', () => {
    const cacher = newCacher(
      {
        node: 'n1' as NodeId,
        incarnation: 1,
        address: '127.0.0.1:1',
        pages: 8,
        writebackIntervalMs: 30_000,
        serverWaitMs: 1e9,
        policy: COURSE,
      },
      0,
    );
    const sent = (): Message['type'][] => {
      const types: Message['type'][] = [];
      for (let next = pollCommand(cacher); next !== undefined; next = pollCommand(cacher)) {
        if (next.do === 'send') types.push(next.message.type);
      }
      return types;
    };
    const geometry = { files: 4, blockSizeBytes: 16, blocksPerFile: 1 };
    handlePeerUp(cacher, SERVER, 0);
    const welcome = { epoch: 1, geometry, openPolicy: 'wait', heartbeatMs: 1e6 } as const;
    const fresh = { kept: [], wanted: [], losses: [], firstSequence: 0, attempt: 1 } as const;
    const registered = { type: 'registered', ...welcome, ...fresh, members: [] } as const;
    handleMessage(cacher, SERVER, { ...registered, leaseMs: 1e9, firstClient: 1 as ClientId }, 0);
    handleApplication(cacher, 'app1', { type: 'hello', protocol: 1 }, 0);
    const open = { type: 'open', request: 1, file: 2 as FileNumber, mode: 1 } as const;
    handleApplication(cacher, 'app1', open, 0);
    expect(sent()).to.include('openWriter');
    handleApplicationClosed(cacher, 'app1', 1);
    expect(sent()).to.deep.equal(['closeWriter']);
    handleTimeout(cacher, 1 + RETRY_MS + 1e6);
    expect(sent()).to.not.include('openWriter');
  });
});
