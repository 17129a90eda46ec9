import { expect } from 'chai';
import { FsError } from '../../protocol/errors.ts';
import type { ClientId, Geometry, NodeId, Version } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';
import { LENGTH_LIMIT_BYTES } from '../../applib/arguments.ts';
import { PENDING_BYTES_LIMIT, PENDING_LIMIT } from '../../applib/pending.ts';
import { Session, type SessionCommand } from '../../applib/session.ts';

const VERSION: Version = { term: 1, counter: 1 };
const SMALL: Geometry = { files: 4, blockSizeBytes: 5, blocksPerFile: 2 };

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
  } catch (error) {
    return error instanceof FsError ? error.code : String(error);
  }
  return undefined;
};

const welcomed = (geometry = SMALL): Session => {
  const session = new Session();
  const node = 'n1' as NodeId;
  session.handleMessage({ type: 'welcome', node, client: 1 as ClientId, geometry });
  session.drain();
  return session;
};

/** A session with file 1 open; answers the handle. */
const opened = (mode: unknown = 1, sizeBytes = 10): { session: Session; handle: number } => {
  const session = welcomed();
  const handle = session.open(1, mode);
  session.handleMessage({ type: 'opened', request: handle, sizeBytes });
  session.drain();
  return { session, handle };
};

const sent = (session: Session): Message[] =>
  session.drain().flatMap((command) => (command.do === 'send' ? [command.message] : []));

const rejected = (commands: readonly SessionCommand[]): string[] =>
  commands.flatMap((command) =>
    command.do === 'reject' ? [`${command.request} ${command.error.code}`] : [],
  );

const readDone = (request: number, bytes: Uint8Array): Message => ({
  type: 'readDone',
  request,
  bytes,
  source: 'peer',
  version: VERSION,
});

const failed = (request: number): Message => ({
  type: 'failed',
  request,
  code: 'EIO',
  message: 'x',
});

/** Where the next read would start. */
const offsetOf = (session: Session, handle: number): number => {
  session.drain();
  session.read(1, handle, 1);
  const [message] = sent(session);
  return message?.type === 'read' ? message.offset : Number.NaN;
};

describe('a session of the application library', () => {
  it('greets with its protocol version and asks nothing before it is welcome', () => {
    const session = new Session();
    expect(session.drain()).to.deep.equal([
      { do: 'send', message: { type: 'hello', protocol: 1 } },
    ]);
    expect(codeOf(() => session.open(1, 0))).to.equal('ECONNLOST');
  });

  it('reads and writes at one offset, which advances by what each call moves', () => {
    const { session, handle } = opened();
    const read = session.read(1, handle, 3);
    const write = session.write(1, handle, 'abcd');
    const rest = session.read(1, handle, 100);
    expect(sent(session)).to.deep.equal([
      { type: 'read', request: read, file: 1, offset: 0, length: 3 },
      {
        type: 'write',
        request: write,
        file: 1,
        offset: 3,
        bytes: new TextEncoder().encode('abcd'),
      },
      { type: 'read', request: rest, file: 1, offset: 7, length: 3 },
    ]);
  });

  it('answers a read at the end with nothing, without asking', () => {
    const { session, handle } = opened();
    session.read(1, handle, 10);
    session.drain();
    const request = session.read(1, handle, 1);
    expect(session.drain()).to.deep.equal([{ do: 'resolve', request, answer: undefined }]);
  });

  it('cuts a write at the end of the file, and refuses one that fits nothing', () => {
    const { session, handle } = opened();
    session.write(1, handle, new Uint8Array(7));
    session.write(1, handle, new Uint8Array(4));
    const lengths = sent(session).map((message) =>
      message.type === 'write' ? message.bytes.length : -1,
    );
    expect(lengths).to.deep.equal([7, 3]);
    expect(codeOf(() => session.write(1, handle, 'x'))).to.equal('EFBIG');
    const request = session.write(1, handle, '');
    expect(session.drain()).to.deep.equal([{ do: 'resolve', request, answer: undefined }]);
  });

  it('puts the offset back when a call fails and none was made after it', () => {
    const { session, handle } = opened();
    session.handleMessage(readDone(session.read(1, handle, 2), new Uint8Array(2)));
    session.handleMessage(failed(session.read(1, handle, 3)));
    expect(offsetOf(session, handle)).to.equal(2);
  });

  it('leaves the offset when a call fails after a later one was made', () => {
    const { session, handle } = opened();
    const first = session.read(1, handle, 3);
    session.read(1, handle, 2);
    session.handleMessage(failed(first));
    expect(offsetOf(session, handle)).to.equal(5);
  });

  it('moves the offset only by what came, if that is less', () => {
    const { session, handle } = opened();
    session.handleMessage(readDone(session.read(1, handle, 5), new Uint8Array(3)));
    expect(offsetOf(session, handle)).to.equal(3);
  });

  it('refuses a write in mode 0', () => {
    const { session, handle } = opened(0);
    expect(codeOf(() => session.write(1, handle, 'x'))).to.equal('EBADF');
    expect(codeOf(() => session.read(1, handle, 1))).to.equal(undefined);
  });

  it('refuses files, modes and lengths out of their range, and names them', () => {
    const { session, handle } = opened();
    for (const file of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(
        codeOf(() => session.open(file, 0)),
        String(file),
      ).to.equal('EINVAL');
    }
    expect(codeOf(() => session.open(3, 0))).to.equal(undefined);
    expect(codeOf(() => session.open(4, 0))).to.equal('ENOENT');
    for (const mode of [2, -1, 'rw', undefined, '0']) {
      expect(
        codeOf(() => session.open(2, mode)),
        String(mode),
      ).to.equal('EINVAL');
    }
    for (const length of [-1, 1.5, Number.NaN, LENGTH_LIMIT_BYTES + 1]) {
      expect(
        codeOf(() => session.read(1, handle, length)),
        String(length),
      ).to.equal('EINVAL');
    }
    expect(() => session.read(1, handle, -7)).to.throw('the number of bytes is -7');
    expect(codeOf(() => session.read(1, handle, LENGTH_LIMIT_BYTES))).to.equal(undefined);
  });

  it('opens a file once, until it is closed or its open has failed', () => {
    const { session, handle } = opened();
    expect(codeOf(() => session.open(1, 0))).to.equal('EBUSY');
    session.close(1, handle);
    expect(codeOf(() => session.read(1, handle, 1))).to.equal('EBADF');
    expect(codeOf(() => session.close(1, handle))).to.equal('EBADF');
    const again = session.open(1, 'r');
    expect(codeOf(() => session.read(1, handle, 1))).to.equal('EBADF');
    session.handleMessage(failed(again));
    const third = session.open(1, 'w');
    session.handleMessage({ type: 'opened', request: third, sizeBytes: 10 });
    expect(codeOf(() => session.read(1, handle, 1))).to.equal('EBADF');
    expect(codeOf(() => session.read(1, third, 1))).to.equal(undefined);
  });

  it('matches answers to requests in any order', () => {
    const { session, handle } = opened();
    const first = session.read(1, handle, 2);
    const second = session.read(1, handle, 2);
    session.drain();
    session.handleMessage(readDone(second, Uint8Array.of(3, 4)));
    session.handleMessage(readDone(first, Uint8Array.of(1, 2)));
    const order = session.drain().map((command) => ('request' in command ? command.request : -1));
    expect(order).to.deep.equal([second, first]);
    expect(session.busy).to.equal(false);
  });

  it('drops an answer that is repeated', () => {
    const { session, handle } = opened();
    const request = session.read(1, handle, 1);
    session.handleMessage(readDone(request, Uint8Array.of(1)));
    session.drain();
    session.handleMessage(readDone(request, Uint8Array.of(2)));
    expect(session.drain()).to.deep.equal([]);
  });

  it('ends the connection at an answer of another type, a longer one, and at what is no answer', () => {
    const wrong: ((request: number) => Message)[] = [
      (request) => ({ type: 'closed', request }),
      (request) => readDone(request, new Uint8Array(4)),
      () => ({ type: 'evicted', file: 1 as never }),
    ];
    for (const answer of wrong) {
      const { session, handle } = opened();
      const request = session.read(1, handle, 3);
      session.drain();
      session.handleMessage(answer(request));
      const commands = session.drain();
      expect(rejected(commands)).to.deep.equal([`${request} EPROTO`]);
      expect(commands.at(-1)).to.deep.equal({ do: 'disconnect' });
    }
  });

  it('fails what waits and every later call when the connection is lost', () => {
    const { session, handle } = opened();
    const read = session.read(1, handle, 3);
    const status = session.status();
    session.drain();
    session.handleLost(new FsError('ECONNLOST', 'gone'));
    expect(rejected(session.drain())).to.deep.equal([`${read} ECONNLOST`, `${status} ECONNLOST`]);
    expect(() => session.read(1, handle, 1)).to.throw(FsError, 'gone');
    expect(codeOf(() => session.open(2, 0))).to.equal('ECONNLOST');
    expect(codeOf(() => session.close(1, handle))).to.equal('ECONNLOST');
  });

  it('fails with what the daemon says of the connection as a whole', () => {
    const session = new Session();
    session.drain();
    session.handleMessage({ type: 'failed', request: 0, code: 'ESHUTDOWN', message: 'stopping' });
    expect(rejected(session.drain())).to.deep.equal(['0 ESHUTDOWN']);
    expect(session.lost).to.equal(true);
  });

  it('lets as many requests wait as the limit says, not one more', () => {
    const session = welcomed();
    for (let count = 0; count < PENDING_LIMIT; count += 1) session.status();
    expect(codeOf(() => session.status())).to.equal('EBUSY');
    session.handleMessage({ type: 'statusDone', request: 1, json: '{}' });
    expect(codeOf(() => session.status())).to.equal(undefined);
  });

  it('lets as many bytes wait as the limit says, and one call that is longer alone', () => {
    const { session, handle } = opened(1, PENDING_BYTES_LIMIT + 10);
    const first = session.read(1, handle, PENDING_BYTES_LIMIT - 1);
    expect(codeOf(() => session.read(1, handle, 2))).to.equal('EBUSY');
    session.read(1, handle, 1);
    expect(codeOf(() => session.read(1, handle, 1))).to.equal('EBUSY');
    session.handleMessage(failed(first));
    expect(codeOf(() => session.read(1, handle, 1))).to.equal(undefined);
  });
});
