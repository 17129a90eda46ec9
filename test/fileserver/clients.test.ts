import { expect } from 'chai';
import { WAITING_LIMIT } from '../../fileserver/scheduler.ts';
import { handleLinkDown, handleStop } from '../../fileserver/server_core.ts';
import { DIRECT_BYTES_LIMIT, DIRECT_REQUESTS_LIMIT } from '../../protocol/direct_limits.ts';
import type { ClientId, NodeId, FileNumber } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { codes, FILE, ServerRun } from './server_run.ts';

const read = (offset: number, length: number): Message<'read'> => ({
  type: 'read',
  request: 2,
  file: FILE,
  offset,
  length,
});

const write = (request: number, text: string, offset = 0): Message<'write'> => ({
  type: 'write',
  request,
  file: FILE,
  offset,
  bytes: new TextEncoder().encode(text),
});

const open = (file: number, mode: number): Message<'open'> => ({
  type: 'open',
  request: 1,
  file: file as FileNumber,
  mode,
});

/** A server with one direct client that has said hello. */
const start = (): { run: ServerRun; ask: (message: Message) => Message[] } => {
  const run = new ServerRun();
  run.from('c1', { type: 'hello', protocol: 1 });
  run.take();
  const ask = (message: Message): Message[] => {
    run.from('c1', message);
    return run.sent('c1');
  };
  return { run, ask };
};

describe('direct clients', () => {
  it('meet the same errors as behind a cacher', () => {
    const { ask } = start();
    expect(codes(ask(open(16, 0)))).to.deep.equal(['ENOENT']);
    expect(codes(ask(open(15, 0)))).to.deep.equal(['opened']);
    expect(codes(ask(open(15, 0)))).to.deep.equal(['EBUSY']);
    expect(codes(ask(open(7, 2)))).to.deep.equal(['EINVAL']);
    expect(codes(ask(read(0, 1)))).to.deep.equal(['EBADF']);
    expect(codes(ask(open(7, 0)))).to.deep.equal(['opened']);
    expect(codes(ask(write(3, 'a')))).to.deep.equal(['EBADF']);
    expect(codes(ask({ type: 'close', request: 4, file: FILE }))).to.deep.equal(['closed']);
    expect(codes(ask({ type: 'close', request: 5, file: FILE }))).to.deep.equal(['EBADF']);
    ask(open(7, 1));
    expect(codes(ask(write(6, 'a', 8)))).to.deep.equal(['EFBIG']);
    expect(codes(ask(write(7, 'ab', 7)))).to.deep.equal(['writeDone']);
  });

  it('have to say hello first, and get numbers of their own', () => {
    const { run } = start();
    run.from('c2', open(7, 0));
    expect(codes(run.sent('c2'))).to.deep.equal(['EPROTO']);
    run.from('c2', { type: 'hello', protocol: 1 });
    const numbers = [...run.server.clients.values()].map(({ client }) => client);
    expect(new Set(numbers).size).to.equal(2);
  });

  it('read the piece they ask for, and nothing at the end', () => {
    const { ask } = start();
    ask(open(7, 0));
    const text = (message: Message | undefined): string =>
      message?.type === 'readDone' ? new TextDecoder().decode(message.bytes) : '';
    expect(text(ask(read(2, 3))[0])).to.equal('nte');
    expect(text(ask(read(6, 99))[0])).to.equal('ts');
    expect(text(ask(read(8, 1))[0])).to.equal('');
  });

  it('are answered at once where no byte is to be moved, even while the file waits', () => {
    const { run, ask } = start();
    run.register('n1', 'n2');
    run.write('n1');
    ask(open(7, 1));
    ask({ ...read(0, 4), request: 9 });
    const nothing = { type: 'readDone', request: 2, bytes: new Uint8Array(0) };
    expect(ask(read(0, 0))[0]).to.deep.include(nothing);
    expect(ask(write(3, ''))[0]).to.deep.include({ type: 'writeDone', request: 3, count: 0 });
  });

  /** A client that reads a file whose owner does not answer: its requests stay in flight. */
  const startWaiting = (): ReturnType<typeof start> => {
    const started = start();
    started.run.register('n1', 'n2');
    started.run.write('n1');
    started.ask(open(7, 0));
    return started;
  };

  it('have so many requests in flight and no more, until some are answered', () => {
    const { run, ask } = startWaiting();
    for (let request = 10; request < 10 + DIRECT_REQUESTS_LIMIT; request++) {
      expect(ask({ ...read(0, 1), request })).to.deep.equal([]);
    }
    const [refused] = ask({ ...read(0, 1), request: 5 });
    expect(refused).to.include({ type: 'failed', request: 5, code: 'EBUSY' });
    expect(refused?.type === 'failed' && refused.message).to.include(String(DIRECT_REQUESTS_LIMIT));
    expect(ask({ ...read(0, 1), request: 10 }), 'a repeat is no further one').to.deep.equal([]);
    expect(run.server.running.size).to.equal(DIRECT_REQUESTS_LIMIT);
    run.from('c2', { type: 'hello', protocol: 1 });
    run.from('c2', open(7, 0));
    run.from('c2', read(0, 1));
    expect(run.server.running.size, 'others are not held up').to.equal(DIRECT_REQUESTS_LIMIT + 1);
    const sequence = Math.min(...run.server.running.keys());
    const version = { term: 1, counter: 1 };
    const bytes = new Uint8Array(1);
    const order = { epoch: 1, sequence };
    run.from('n1#1', { type: 'readOnceDone', order, file: FILE, version, bytes });
    expect(codes(run.sent('c1').slice(-1))).to.deep.equal(['readDone']);
    expect(ask({ ...read(0, 1), request: 5 })).to.deep.equal([]);
  });

  it('have so many bytes in flight and no more, but for a single request', () => {
    const { run, ask } = startWaiting();
    const waiting = run.server.clients.get('c1')?.waiting;
    // Files of this size would not fit in a test: what waits already is made large instead.
    waiting?.set(99, DIRECT_BYTES_LIMIT - 8);
    expect(ask({ ...read(0, 8), request: 10 })).to.deep.equal([]);
    const [refused] = ask({ ...read(0, 1), request: 11 });
    expect(refused).to.include({ type: 'failed', code: 'EBUSY' });
    expect(refused?.type === 'failed' && refused.message).to.include(String(DIRECT_BYTES_LIMIT));
    waiting?.clear();
    waiting?.set(99, DIRECT_BYTES_LIMIT);
    expect(codes(ask({ ...read(0, 1), request: 12 }))).to.deep.equal(['EBUSY']);
    waiting?.clear();
    expect(ask({ ...read(0, 8), request: 13 })).to.deep.equal([]);
  });

  it('are refused when too many wait for one file, and write-backs are not', () => {
    const { run, ask } = start();
    run.register('n1', 'n2');
    run.write('n1');
    run.from('n2#1', { type: 'getModified', request: 60, file: FILE, holds: false });
    const entry = run.server.entries.get(FILE);
    run.from('x', { type: 'hello', protocol: 1 });
    run.from('x', open(7, 0));
    run.from('x', read(0, 1));
    const [queued] = entry?.queue ?? [];
    // As many clients would ask.
    for (let request = 1; queued !== undefined && request < WAITING_LIMIT - 1; request++) {
      entry?.queue.push({ ...queued, request: 1000 + request });
    }
    run.from('x', { ...read(0, 1), request: 3 });
    expect(run.sent('x').some(({ type }) => type === 'failed')).to.equal(false);
    expect(entry?.queue.length).to.equal(WAITING_LIMIT);
    ask(open(7, 0));
    expect(codes(ask(read(0, 1)))).to.deep.equal(['EBUSY']);
    run.from('n1#1', { type: 'writeBack', request: 61, file: FILE });
    expect(entry?.queue.length).to.equal(WAITING_LIMIT + 1);
  });

  it('are forgotten with their link', () => {
    const { run } = start();
    handleLinkDown(run.server, 'c1', 0);
    expect(run.server.clients.size).to.equal(0);
  });

  it('are refused while the server stops', () => {
    const { run, ask } = start();
    run.register('n1', 'n2');
    run.write('n1', 1 as FileNumber);
    handleStop(run.server, 0);
    run.take();
    expect(codes(ask(open(7, 0)))).to.deep.equal(['ESHUTDOWN']);
  });
});

describe('a write through the disk', () => {
  it('is journaled with its outcome, under a new term', () => {
    const { run, ask } = start();
    ask(open(7, 1));
    const [done] = ask(write(3, 'xyz'));
    expect(done).to.deep.include({ type: 'writeDone', count: 3, copies: 0 });
    const record = run.records[0];
    expect(record?.kind === 'contents' && new TextDecoder().decode(record.bytes)).to.equal(
      'xyztents',
    );
    expect(record?.kind === 'contents' && record.version).to.deep.equal({ term: 1, counter: 1 });
    expect(run.meta(FILE).outcomes.map(({ operation }) => operation)).to.deep.equal([3]);
  });

  it('that is repeated under its number is not applied again', () => {
    const { run } = start();
    run.register('n1');
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    const through = {
      type: 'writeThrough',
      file: FILE,
      offset: 0,
      keep: false,
      again: false,
      registration: run.server.members.get('n1' as NodeId)?.firstClient ?? 0,
    } as const;
    const client = 5 as ClientId;
    run.from('n1#1', { ...through, request: 1, client, operation: 1, bytes: text('one') });
    run.settle();
    run.from('n1#1', { ...through, request: 2, client, operation: 2, bytes: text('two') });
    run.settle();
    run.from('n1#1', { ...through, request: 1, client, operation: 1, bytes: text('one') });
    const answer = run.sent('n1#1').find((each) => each.type === 'writeThroughDone');
    expect(answer).to.deep.include({ count: 3 });
    const last = run.records.at(-1);
    expect(last?.kind === 'contents' && last.outcomes.length).to.equal(2);
    const applied = run.records.map((each) =>
      each.kind === 'contents' ? new TextDecoder().decode(each.bytes) : '',
    );
    // The disk of this test reads the same bytes every time; a repeat leaves them as they are.
    expect(applied).to.deep.equal(['onetents', 'twotents', 'contents']);
  });

  it('of a cacher is cut at the end of the file', () => {
    const { run } = start();
    run.register('n1');
    const through = {
      type: 'writeThrough',
      file: FILE,
      request: 1,
      keep: true,
      again: false,
      registration: run.server.members.get('n1' as NodeId)?.firstClient ?? 0,
    } as const;
    const bytes = new TextEncoder().encode('abc');
    run.from('n1#1', { ...through, client: 5 as ClientId, operation: 1, offset: 7, bytes });
    const answer = run.sent('n1#1').find((each) => each.type === 'writeThroughDone');
    expect(answer).to.deep.include({ count: 1, bytes: new TextEncoder().encode('contenta') });
    run.settle();
  });
});
