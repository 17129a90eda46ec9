/** Applications without a cacher: open, read, write and close straight at the server, synced data only. */

import { CLIENTS_PER_REGISTRATION, firstClientNumber } from '../protocol/client_numbers.ts';
import { DIRECT_BYTES_LIMIT, DIRECT_REQUESTS_LIMIT } from '../protocol/direct_limits.ts';
import { FsError } from '../protocol/errors.ts';
import type { WriterOf } from '../protocol/fields.ts';
import {
  fileSizeBytes,
  FIRST_VERSION,
  SERVER,
  type ClientId,
  type FileNumber,
} from '../protocol/ids.ts';
import type { Message } from '../protocol/messages.ts';
import {
  checkIsOpen,
  checkOpen,
  checkProtocol,
  checkUse,
  clip,
  clipWrite,
  WRITE_MODE,
} from '../protocol/open_files.ts';
import { flush, forgetFlushes } from './flushes.ts';
import type { WaitingWriter, Writer } from './open_writers.ts';
import { submit } from './scheduler.ts';
import { answerClient, fileExists, type DirectClient, type Server } from './server_state.ts';
import { newTransaction, type Requester } from './transaction.ts';

/** How many applications may be connected directly. */
export const CLIENTS_LIMIT = 4096;

const send = (server: Server, to: string, message: Message): void => {
  server.commands.push({ do: 'send', to, message });
};

/** Greets an application, or refuses it: an unknown version, or no room for one more. */
export const hello = (server: Server, link: string, message: Message<'hello'>): void => {
  try {
    checkProtocol(message.protocol);
    const { client } = server.clients.get(link) ?? admit(server, link);
    const { geometry } = server.options;
    send(server, link, { type: 'welcome', node: SERVER, client, geometry });
  } catch (error) {
    refuse(server, link, 0, error);
  }
};

const admit = (server: Server, link: string): DirectClient => {
  const { size } = server.clients;
  if (size >= CLIENTS_LIMIT || server.nextClient >= CLIENTS_PER_REGISTRATION) {
    const text = `${CLIENTS_LIMIT} applications are connected already, which is the limit`;
    throw new FsError('EBUSY', text);
  }
  const number = firstClientNumber(server.options.epoch, 0) + server.nextClient++;
  const client = { client: number as ClientId, files: new Map(), waiting: new Map() };
  server.clients.set(link, client);
  return client;
};

const refuse = (server: Server, link: string, request: number, error: unknown): void => {
  if (!(error instanceof FsError)) throw error;
  answerClient(server, link, {
    type: 'failed',
    request,
    code: error.code,
    message: error.message,
  });
};

export type ClientRequest = Message<'open' | 'read' | 'write' | 'close'>;

/** Carries a request out; what is wrong with it is answered, never thrown. */
export const clientRequest = (server: Server, link: string, message: ClientRequest): void => {
  const { request } = message;
  try {
    const client = server.clients.get(link);
    if (client === undefined) throw new FsError('EPROTO', 'an application must say hello first');
    // A repeat of what is in flight is answered with it.
    if (client.waiting.has(request)) return;
    if (server.stopping) throw new FsError('ESHUTDOWN', 'the file server is stopping');
    takeUp(server, client, message);
    perform(server, link, client, message);
  } catch (error) {
    refuse(server, link, request, error);
  }
};

/** Counts a request as in flight. Throws FsError EBUSY at the bounds of one client. */
const takeUp = (server: Server, client: DirectClient, message: ClientRequest): void => {
  const { waiting } = client;
  if (waiting.size >= DIRECT_REQUESTS_LIMIT) {
    const text = `${DIRECT_REQUESTS_LIMIT} requests of this client wait already, which is the limit`;
    throw new FsError('EBUSY', text);
  }
  let bytes = 0;
  if (message.type === 'write') bytes = message.bytes.length;
  if (message.type === 'read') {
    bytes = Math.min(message.length, fileSizeBytes(server.options.geometry));
  }
  let bytesWaiting = 0;
  for (const each of waiting.values()) bytesWaiting += each;
  if (waiting.size > 0 && bytesWaiting + bytes > DIRECT_BYTES_LIMIT) {
    throw new FsError(
      'EBUSY',
      `requests of this client for ${bytesWaiting} bytes wait and ${bytes} are too many more, ` +
        `at most ${DIRECT_BYTES_LIMIT} may wait`,
    );
  }
  waiting.set(message.request, bytes);
};

/** Of a write through, what only members may have otherwise: they keep copies, and register anew. */
const OF_A_CLIENT = { keep: false, again: false, registration: 0 } as const;

const perform = (
  server: Server,
  link: string,
  client: DirectClient,
  message: ClientRequest,
): void => {
  const { request, file } = message;
  const sizeBytes = fileSizeBytes(server.options.geometry);
  const requester: Requester = { kind: 'client', peer: link, client: client.client };
  switch (message.type) {
    case 'open':
      checkOpen(client.files, server.options.geometry, file, message.mode);
      client.files.set(file, { mode: message.mode, stale: false });
      if (message.mode !== WRITE_MODE) {
        answerClient(server, link, { type: 'opened', request, sizeBytes });
      } else if (!openWriter(server, file, { link, client: client.client, request })) {
        client.files.delete(file);
      }
      break;
    case 'read': {
      checkUse(client.files, file, false);
      const { offset } = message;
      const length = clip(sizeBytes, offset, message.length);
      if (length === 0) {
        const nothing = {
          bytes: new Uint8Array(0),
          source: 'server',
          version: FIRST_VERSION,
        } as const;
        answerClient(server, link, { type: 'readDone', request, ...nothing });
        break;
      }
      submit(server, {
        ...newTransaction(file, requester, request),
        kind: 'readThrough',
        offset,
        length,
      });
      break;
    }
    case 'write': {
      checkUse(client.files, file, true);
      const { offset } = message;
      const count = clipWrite(sizeBytes, offset, message.bytes.length);
      if (count === 0) {
        const nothing = { count, version: FIRST_VERSION, copies: 0, degraded: false } as const;
        answerClient(server, link, { type: 'writeDone', request, ...nothing });
        break;
      }
      const write = { offset, bytes: message.bytes.slice(0, count), client: client.client };
      submitWriteThrough(server, requester, {
        ...write,
        file,
        request,
        operation: request,
        ...OF_A_CLIENT,
      });
      break;
    }
    case 'close':
      checkIsOpen(client.files, file);
      client.files.delete(file);
      closeWriter(server, file, { link, client: client.client });
      answerClient(server, link, { type: 'closed', request });
      break;
    default:
      message satisfies never;
  }
};

/** Queues a write that goes to the disk; the bytes are the transaction's from now on. */
export const submitWriteThrough = (
  server: Server,
  requester: Requester,
  write: Omit<Message<'writeThrough'>, 'type'>,
): void => {
  const { file, request, offset, bytes, client, operation, keep, again } = write;
  submit(server, {
    ...newTransaction(file, requester, request),
    kind: 'writeThrough',
    phase: 'quiesce',
    offset,
    bytes,
    client,
    operation,
    keep,
    again,
    uncertain: false,
    term: 0,
    release: [],
    count: 0,
  });
};

/** Opens a file for writing under the open policy. False if it was refused (and said so). */
export const openWriter = (server: Server, file: FileNumber, writer: WaitingWriter): boolean => {
  const { openPolicy } = server.options;
  if (openPolicy === 'share') {
    writerOpened(server, writer);
    return true;
  }
  if (server.now < server.quietUntilMs) {
    // Who had it open before the server was started again may not have said so yet.
    server.openWriters.hold(file, writer);
    return true;
  }
  const result = server.openWriters.open(file, writer, openPolicy === 'wait');
  if (result === 'opened') writerOpened(server, writer);
  if (result !== 'busy') return true;
  const message = `file ${file} is open for writing elsewhere, and the open policy is "fail"`;
  answerClient(server, writer.link, {
    type: 'failed',
    request: writer.request,
    code: 'EBUSY',
    message,
  });
  return false;
};

/** All who may have had files open before a restart of the server have said so: others may now. */
export const openHeld = (server: Server): void => {
  for (const { file, writer } of server.openWriters.release()) {
    if (openWriter(server, file, writer)) continue;
    server.clients.get(writer.link)?.files.delete(file);
  }
};

/** Takes up what a member's applications have open; where somebody else has it by now, they are the next. */
export const reopen = (server: Server, link: string, writers: readonly WriterOf[]): void => {
  for (const { file, client, opening } of writers) {
    if (fileExists(server, file)) {
      server.openWriters.open(file, { link, client, request: opening }, true);
    }
  }
};

/** Ends an opening: of this number, or whichever the writer has. */
export const closeWriter = (
  server: Server,
  file: FileNumber,
  writer: Writer,
  opening?: number,
): void => {
  const next = server.openWriters.close(file, writer, opening);
  if (next !== undefined) writerOpened(server, next);
};

const writerOpened = (server: Server, { link, request }: WaitingWriter): void => {
  const sizeBytes = fileSizeBytes(server.options.geometry);
  if (server.clients.has(link)) answerClient(server, link, { type: 'opened', request, sizeBytes });
  else send(server, link, { type: 'writerOpened', request });
};

/** A direct client wants a file on the disk, or all of them: of its own handles none may be stale. */
export const clientFlush = (server: Server, link: string, message: Message<'flush'>): void => {
  try {
    const files = server.clients.get(link)?.files;
    if (!message.all && files?.has(message.file) === true) checkUse(files, message.file, false);
    flush(server, link, message);
  } catch (error) {
    refuse(server, link, message.request, error);
  }
};

/** Everything that came by a link is closed; whoever waited for it goes on. */
export const closeLink = (server: Server, link: string): void => {
  server.clients.delete(link);
  forgetFlushes(server, link);
  for (const writer of server.openWriters.closeLink(link)) writerOpened(server, writer);
};
