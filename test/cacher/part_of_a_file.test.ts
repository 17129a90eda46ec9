import { expect } from 'chai';
import {
  handleApplication,
  handleMessage,
  handlePeerUp,
  newCacher,
  pollCommand,
} from '../../cacher/cacher_core.ts';
import type { CacherCommand } from '../../cacher/cacher_state.ts';
import { COURSE } from '../../cacher/replacement.ts';
import { SERVER, type ClientId, type FileNumber, type NodeId } from '../../protocol/ids.ts';

describe('contents that are not a whole file', () => {
  it('are not installed, and the request for them stays open', () => {
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
    const commands = (): CacherCommand[] => {
      const all: CacherCommand[] = [];
      for (let next = pollCommand(cacher); next; next = pollCommand(cacher)) all.push(next);
      return all;
    };
    const file = 2 as FileNumber;
    const geometry = { files: 4, blockSizeBytes: 16, blocksPerFile: 1 };
    handlePeerUp(cacher, SERVER, 0);
    const welcome = { epoch: 1, geometry, openPolicy: 'share', heartbeatMs: 100 } as const;
    const fresh = { kept: [], wanted: [], losses: [], firstSequence: 0, attempt: 1 } as const;
    const registered = { type: 'registered', ...welcome, ...fresh, members: [] } as const;
    handleMessage(cacher, SERVER, { ...registered, leaseMs: 1e9, firstClient: 1 as ClientId }, 0);
    handleApplication(cacher, 'app1', { type: 'hello', protocol: 1 }, 0);
    handleApplication(cacher, 'app1', { type: 'open', request: 1, file, mode: 0 }, 0);
    const read = { type: 'read', request: 2, file, offset: 0, length: 16 } as const;
    handleApplication(cacher, 'app1', read, 0);
    const asked = commands().flatMap((each) => (each.do === 'send' ? [each.message] : []));
    const wanted = asked.find((message) => message.type === 'getShared');
    expect(wanted).to.not.equal(undefined);
    const order = { epoch: 1, sequence: 5 };
    const version = { term: 0, counter: 0 };
    const base = { order, file, request: wanted?.request ?? 0, source: 'disk', copies: 1 } as const;
    const data = { type: 'data', ...base, version, outcomes: [] } as const;
    for (const length of [0, 15, 17]) {
      handleMessage(cacher, SERVER, { ...data, bytes: new Uint8Array(length) }, 1);
      expect(commands().map((each) => each.do)).to.deep.equal(['log']);
    }
    handleMessage(cacher, SERVER, { ...data, bytes: new Uint8Array(16).fill(1) }, 2);
    const replies = commands().flatMap((each) => (each.do === 'reply' ? [each.message] : []));
    expect(replies.map(({ type }) => type)).to.deep.equal(['readDone']);
  });
});
