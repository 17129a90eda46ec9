/** The applications of this node: what each has open, and what it asks for. */

import { assert } from '../protocol/assert.ts';
import { CLIENTS_PER_REGISTRATION } from '../protocol/client_numbers.ts';
import { FsError } from '../protocol/errors.ts';
import type { WriterOf } from '../protocol/fields.ts';
import { FIRST_VERSION, type ClientId } from '../protocol/ids.ts';
import { HOLDINGS_LIMIT, type Message } from '../protocol/messages.ts';
import {
  checkIsOpen,
  checkOpen,
  checkProtocol,
  checkUse,
  clip,
  clipWrite,
  WRITE_MODE,
} from '../protocol/open_files.ts';
import type { Operation } from './cached_file.ts';
import {
  cachedFile,
  geometryOf,
  newRequest,
  reply,
  sendToServer,
  sizeOf,
  type Application,
  type Cacher,
  type Relayed,
} from './cacher_state.ts';
import { pump } from './operations.ts';
import { statusOf } from './status.ts';

/** How many applications may be connected to one cacher. */
export const APPLICATIONS_LIMIT = 1024;
/** How many reads and writes of one file may wait. */
export const OPERATIONS_LIMIT = 4096;

/** No application has this link. */
const NOBODY = '';

const NO_BYTES = new Uint8Array(0);

/** Greets an application. Throws FsError: an unknown version, or no room for one more. */
const hello = (cacher: Cacher, link: string, message: Message<'hello'>): void => {
  checkProtocol(message.protocol);
  const { client } = cacher.applications.get(link) ?? admit(cacher, link);
  const { node } = cacher.options;
  reply(cacher, link, { type: 'welcome', node, client, geometry: geometryOf(cacher) });
};

const admit = (cacher: Cacher, link: string): Application => {
  const { size } = cacher.applications;
  if (size >= APPLICATIONS_LIMIT || cacher.nextClient >= CLIENTS_PER_REGISTRATION) {
    const text = `${APPLICATIONS_LIMIT} applications are connected already, which is the limit`;
    throw new FsError('EBUSY', text);
  }
  assert(cacher.registration !== undefined, 'an application is numbered before registration');
  const number = cacher.registration.firstClient + cacher.nextClient++;
  const application = { client: number as ClientId, files: new Map(), openings: new Map() };
  cacher.applications.set(link, application);
  return application;
};

/** One message of an application. Whatever is wrong with it is answered, never thrown. */
export const applicationMessage = (cacher: Cacher, link: string, message: Message): void => {
  const request = 'request' in message ? message.request : 0;
  try {
    if (message.type === 'hello') {
      hello(cacher, link, message);
      return;
    }
    const application = cacher.applications.get(link);
    if (application === undefined) {
      throw new FsError('EPROTO', 'an application must say hello first');
    }
    perform(cacher, link, application, message);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    const { code, message: text } = error;
    const failed = { type: 'failed', request, code, message: text } as const;
    cacher.commands.push({ do: 'reply', to: link, message: failed });
  }
};

const perform = (
  cacher: Cacher,
  link: string,
  application: Application,
  message: Message,
): void => {
  switch (message.type) {
    case 'open':
      open(cacher, link, application, message);
      break;
    case 'read':
      read(cacher, link, application, message);
      break;
    case 'write':
      write(cacher, link, application, message);
      break;
    case 'close':
      checkIsOpen(application.files, message.file);
      close(cacher, application, message.file);
      reply(cacher, link, { type: 'closed', request: message.request });
      break;
    case 'flush':
      if (application.files.has(message.file) && !message.all) {
        checkUse(application.files, message.file, false);
      }
      checkRoom(cacher);
      relay(cacher, link, message.request, undefined, { ...message, request: newRequest(cacher) });
      break;
    case 'where':
      checkRoom(cacher);
      relay(cacher, link, message.request, undefined, { ...message, request: newRequest(cacher) });
      break;
    case 'status':
      reply(cacher, link, statusOf(cacher, message.request));
      break;
    default:
      throw new FsError('EPROTO', `${message.type} is not a request of an application`);
  }
};

const open = (
  cacher: Cacher,
  link: string,
  application: Application,
  message: Message<'open'>,
): void => {
  const { request, file, mode } = message;
  if (cacher.stopping) throw new FsError('ESHUTDOWN', `${cacher.options.node} is stopping`);
  checkOpen(application.files, geometryOf(cacher), file, mode);
  checkRoom(cacher);
  application.files.set(file, { mode, stale: false });
  if (mode === WRITE_MODE && cacher.registration?.openPolicy !== 'share') {
    const opening = { request: newRequest(cacher), file, client: application.client };
    application.openings.set(file, opening.request);
    relay(cacher, link, request, file, { type: 'openWriter', ...opening });
    return;
  }
  reply(cacher, link, { type: 'opened', request, sizeBytes: sizeOf(cacher) });
};

/** How many requests for applications, and closings that the server has not confirmed, may wait. */
export const RELAYED_LIMIT = 4096;

/** Each opening has a closing after it, which must not be refused. */
const checkRoom = (cacher: Cacher): void => {
  if (cacher.relayed.size < RELAYED_LIMIT) return;
  const text = `${RELAYED_LIMIT} requests wait for the file server already, which is the limit`;
  throw new FsError('EBUSY', text);
};

/** Asks the server on behalf of an application; the answer is passed on by `relayedAnswer`. */
const relay = (
  cacher: Cacher,
  link: string,
  request: number,
  opening: Relayed['opening'],
  message: Relayed['message'],
): void => {
  const times = { sentAtMs: cacher.now, sinceMs: cacher.now };
  cacher.relayed.set(message.request, { link, request, opening, message, ...times });
  if (cacher.admitted) sendToServer(cacher, message);
};

/** The server's answer to a relayed request. False if it is not for one. */
export const relayedAnswer = (
  cacher: Cacher,
  message: Message<'whereDone' | 'flushed' | 'writerOpened' | 'writerClosed' | 'failed'>,
): boolean => {
  const relayed = cacher.relayed.get(message.request);
  if (relayed === undefined) return false;
  cacher.relayed.delete(message.request);
  const { link, request, opening } = relayed;
  if (message.type === 'writerOpened') {
    reply(cacher, link, { type: 'opened', request, sizeBytes: sizeOf(cacher) });
    return true;
  }
  if (message.type === 'writerClosed') return true;
  const application = cacher.applications.get(link);
  if (opening !== undefined) {
    const asked = relayed.message;
    // A server that was started anew may have been told of it as one that is open.
    if (asked.type === 'openWriter') {
      const { client, request: refused } = asked;
      const closing = { file: opening, client, opening: refused } as const;
      relay(cacher, NOBODY, 0, undefined, {
        type: 'closeWriter',
        request: newRequest(cacher),
        ...closing,
      });
    }
    application?.files.delete(opening);
    application?.openings.delete(opening);
  }
  reply(cacher, link, { ...message, request });
  return true;
};

const read = (
  cacher: Cacher,
  link: string,
  application: Application,
  message: Message<'read'>,
): void => {
  const { request, file, offset } = message;
  checkUse(application.files, file, false);
  const length = clip(sizeOf(cacher), offset, message.length);
  if (length === 0) {
    const nothing = { bytes: NO_BYTES, source: 'local', version: FIRST_VERSION } as const;
    reply(cacher, link, { type: 'readDone', request, ...nothing });
    return;
  }
  const place = {
    link,
    client: application.client,
    request,
    offset,
    length,
    queuedAtMs: cacher.now,
  };
  queue(cacher, file, { ...place, kind: 'read', bytes: NO_BYTES, missed: false, through: false });
};

const write = (
  cacher: Cacher,
  link: string,
  application: Application,
  message: Message<'write'>,
): void => {
  const { request, file, offset } = message;
  checkUse(application.files, file, true);
  const count = clipWrite(sizeOf(cacher), offset, message.bytes.length);
  if (count === 0) {
    const nothing = { count, version: FIRST_VERSION, copies: 0, degraded: false };
    reply(cacher, link, { type: 'writeDone', request, ...nothing });
    return;
  }
  const bytes = message.bytes.slice(0, count);
  const place = {
    link,
    client: application.client,
    request,
    offset,
    length: 0,
    queuedAtMs: cacher.now,
  };
  queue(cacher, file, { ...place, kind: 'write', bytes, missed: false, through: false });
};

const queue = (cacher: Cacher, file: Message<'read'>['file'], operation: Operation): void => {
  if (cacher.stopping) throw new FsError('ESHUTDOWN', `${cacher.options.node} is stopping`);
  const cached = cachedFile(cacher, file);
  if (cached.operations.length >= OPERATIONS_LIMIT) {
    throw new FsError('EBUSY', `${OPERATIONS_LIMIT} operations on file ${file} wait already`);
  }
  cached.operations.push(operation);
  pump(cacher, cached);
};

const close = (cacher: Cacher, application: Application, file: Message<'close'>['file']): void => {
  const { client, openings } = application;
  const opening = openings.get(file);
  application.files.delete(file);
  openings.delete(file);
  if (opening === undefined) return;
  // It must not open the file for nobody, who never closes it.
  cacher.relayed.delete(opening);
  // Lost, it would keep the file locked. The application waits for no answer.
  const request = newRequest(cacher);
  relay(cacher, NOBODY, 0, undefined, { type: 'closeWriter', request, file, client, opening });
};

/** What this node's applications have open for writing, as a server that does not know it is told. */
export const openWriters = (cacher: Cacher): WriterOf[] =>
  [...cacher.applications.values()]
    .flatMap(({ client, openings }) =>
      [...openings]
        .filter(([, opening]) => !cacher.relayed.has(opening))
        .map(([file, opening]) => ({ file, client, opening })),
    )
    .slice(0, HOLDINGS_LIMIT);

/** An application is gone: what it has open is closed, what it waits for is forgotten. */
export const applicationClosed = (cacher: Cacher, link: string): void => {
  const application = cacher.applications.get(link);
  if (application === undefined) return;
  for (const file of [...application.files.keys()]) {
    close(cacher, application, file);
    const cached = cacher.files.get(file);
    if (cached === undefined) continue;
    // A write that is with the server or the backup goes on; it may have happened already.
    const started = cached.want?.operation;
    cached.operations = cached.operations.filter(
      (operation) => operation.link !== link || (operation === started && operation.through),
    );
    pump(cacher, cached);
  }
  cacher.applications.delete(link);
  for (const [request, relayed] of [...cacher.relayed]) {
    if (relayed.link === link) cacher.relayed.delete(request);
  }
};
