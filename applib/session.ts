/**
 * One connection of an application to its daemon, without I/O: which requests wait, which files are
 * open, and where each stands. Its shell (connection.ts) sends, and settles promises.
 */

import { FsError } from '../protocol/errors.ts';
import { isNodeName, type FileNumber, type Geometry } from '../protocol/ids.ts';
import { PROTOCOL_VERSION, type Message } from '../protocol/messages.ts';
import {
  checkContents,
  checkFile,
  checkLength,
  checkMode,
  MODE_READ,
  type Mode,
} from './arguments.ts';
import { ANSWERS, PendingRequests, type Answer, type RequestType } from './pending.ts';

/** What the shell has to do, in order. */
export type SessionCommand =
  | { readonly do: 'send'; readonly message: Message }
  /** Without an answer, the request moves no bytes: the library says so without asking anybody. */
  | { readonly do: 'resolve'; readonly request: number; readonly answer: Answer | undefined }
  | { readonly do: 'reject'; readonly request: number; readonly error: FsError }
  | { readonly do: 'disconnect' };

/** `hello` counts as a request, with an id that no other has. */
export const HELLO = 0;

type State =
  | { readonly tag: 'connecting' }
  | { readonly tag: 'ready'; readonly geometry: Geometry }
  | { readonly tag: 'lost'; readonly error: FsError };

interface OpenFile {
  /** The request that opened it: tells one open of a file from a later one. */
  readonly handle: number;
  readonly file: FileNumber;
  readonly mode: Mode;
  /** Undefined until the open is answered. */
  sizeBytes: number | undefined;
  offset: number;
  /** The last request that moved the offset. */
  movedBy: number;
}

interface Transfer {
  readonly offset: number;
  readonly count: number;
}

const ANSWER_TYPES = new Set<string>(Object.values(ANSWERS));

const isAnswer = (message: Message): message is Answer => ANSWER_TYPES.has(message.type);

/** How many bytes an answer says were read or written. */
const movedOf = (answer: Answer): number => {
  if (answer.type === 'readDone') return answer.bytes.length;
  return answer.type === 'writeDone' ? answer.count : 0;
};

export class Session {
  #state: State = { tag: 'connecting' };
  readonly #pending = new PendingRequests();
  readonly #files = new Map<FileNumber, OpenFile>();
  #commands: SessionCommand[] = [];

  /** Greets the daemon; the answer to request HELLO is its welcome. */
  constructor() {
    this.#ask(HELLO, { type: 'hello', protocol: PROTOCOL_VERSION }, 0);
  }

  /** What has to be done since the last call. */
  drain(): SessionCommand[] {
    const commands = this.#commands;
    this.#commands = [];
    return commands;
  }

  /** True while some request waits for its answer. */
  get busy(): boolean {
    return this.#pending.size > 0;
  }

  get lost(): boolean {
    return this.#state.tag === 'lost';
  }

  /**
   * Opens a file; the request it returns is the handle of the open file too.
   * Throws EINVAL (number, mode), ENOENT, EBUSY (it is open on this connection), ECONNLOST.
   */
  open(number: number, wanted: unknown): number {
    const file = checkFile(number, this.#geometry().files);
    const mode = checkMode(wanted);
    if (this.#files.has(file)) {
      throw new FsError('EBUSY', `file ${file} is open on this connection already: close it first`);
    }
    this.#pending.checkRoom(0);
    const handle = this.#pending.nextId();
    const opened: OpenFile = { handle, file, mode, sizeBytes: undefined, offset: 0, movedBy: 0 };
    this.#files.set(file, opened);
    this.#ask(handle, { type: 'open', request: handle, file, mode }, 0, (answer) => {
      if (answer?.type === 'opened') opened.sizeBytes = answer.sizeBytes;
      else this.#files.delete(file);
    });
    return handle;
  }

  /** Reads at the offset of an open file. Throws EINVAL, EBADF, EBUSY (too much waits), ECONNLOST. */
  read(number: number, handle: number, length: number): number {
    const opened = this.#opened(number, handle);
    const wanted = checkLength(length);
    const { offset, count } = this.#transfer(opened, wanted);
    if (count === 0) return this.#answerNothing();
    const request = this.#advance(opened, count);
    const { file } = opened;
    this.#ask(request, { type: 'read', request, file, offset, length: count }, count, (answer) => {
      const moved = answer?.type === 'readDone' ? answer.bytes.length : 0;
      this.#correctOffset(opened, request, offset + moved);
    });
    return request;
  }

  /**
   * Writes at the offset of an open file what fits before its end. The bytes are the caller's again
   * when the commands have been carried out.
   * Throws EINVAL, EBADF (mode 0 too), EFBIG, EBUSY (too much waits), ECONNLOST.
   */
  write(number: number, handle: number, contents: unknown): number {
    const opened = this.#opened(number, handle);
    const all = checkContents(contents);
    checkLength(all.length);
    if (opened.mode === MODE_READ) {
      throw new FsError(
        'EBADF',
        `file ${opened.file} is open in mode 0, which reads: open it in mode 1`,
      );
    }
    if (all.length === 0) return this.#answerNothing();
    const { offset, count } = this.#transfer(opened, all.length);
    if (count === 0) {
      const place = `the offset ${offset} of file ${opened.file} is its end`;
      throw new FsError('EFBIG', `nothing of ${all.length} bytes fits: ${place}`);
    }
    const request = this.#advance(opened, count);
    const bytes = all.subarray(0, count);
    const { file } = opened;
    this.#ask(request, { type: 'write', request, file, offset, bytes }, count, (answer) => {
      const moved = answer?.type === 'writeDone' ? answer.count : 0;
      this.#correctOffset(opened, request, offset + moved);
    });
    return request;
  }

  /** Closes an open file; no later call may use it, whatever the answer. Throws EBADF, ECONNLOST. */
  close(number: number, handle: number): number {
    const { file } = this.#opened(number, handle);
    this.#pending.checkRoom(0);
    const request = this.#pending.nextId();
    this.#ask(request, { type: 'close', request, file }, 0);
    this.#files.delete(file);
    return request;
  }

  /** Asks where a file is. Throws EINVAL, ENOENT, ECONNLOST. */
  where(number: number): number {
    const file = checkFile(number, this.#geometry().files);
    this.#pending.checkRoom(0);
    const request = this.#pending.nextId();
    this.#ask(request, { type: 'where', request, file }, 0);
    return request;
  }

  /**
   * Asks for a file to be written to the disk, an open one (`handle`) or any; without a number, for all
   * that is dirty. Throws EINVAL, ENOENT, EBADF, ECONNLOST.
   */
  flush(number: number | undefined, handle?: number): number {
    const { files } = this.#geometry();
    const all = number === undefined;
    const file = all ? (0 as FileNumber) : checkFile(number, files);
    if (!all && handle !== undefined) this.#opened(number, handle);
    this.#pending.checkRoom(0);
    const request = this.#pending.nextId();
    this.#ask(request, { type: 'flush', request, file, all }, 0);
    return request;
  }

  /** Asks the file server to give a node up. Throws EINVAL (its name), ECONNLOST. */
  forget(name: string): number {
    this.#geometry();
    if (!isNodeName(name)) {
      const right = 'must be the name of a node, 1 to 32 of A-Z a-z 0-9 . _ -';
      throw new FsError('EINVAL', `the node is ${JSON.stringify(name)}, ${right}`);
    }
    this.#pending.checkRoom(0);
    const request = this.#pending.nextId();
    this.#ask(request, { type: 'forget', request, node: name }, 0);
    return request;
  }

  /** Asks the daemon for its status. Throws ECONNLOST. */
  status(): number {
    this.#geometry();
    this.#pending.checkRoom(0);
    const request = this.#pending.nextId();
    this.#ask(request, { type: 'status', request }, 0);
    return request;
  }

  /**
   * Takes a message of the daemon. An answer nobody waits for is dropped, a daemon may repeat one;
   * any other message that was not due ends the connection.
   */
  handleMessage(message: Message): void {
    if (this.#state.tag === 'lost') return;
    if (message.type === 'failed') {
      const error = new FsError(message.code, message.message);
      // Request 0 is about the connection itself: the daemon refuses it, or gives it up.
      if (message.request === HELLO) this.#disconnect(error);
      else this.#settle(message.request, { error });
      return;
    }
    if (!isAnswer(message)) {
      this.#disconnect(
        new FsError('EPROTO', `the daemon sent ${message.type}, which answers nothing`),
      );
      return;
    }
    const request = message.type === 'welcome' ? HELLO : message.request;
    const pending = this.#pending.get(request);
    if (pending === undefined) return;
    if (ANSWERS[pending.type] !== message.type || movedOf(message) > pending.sizeBytes) {
      const what = `the daemon sent ${message.type} of ${movedOf(message)} bytes for request ${request}`;
      const due = `${ANSWERS[pending.type]} of at most ${pending.sizeBytes} was due`;
      this.#disconnect(new FsError('EPROTO', `${what}, ${due}`));
      return;
    }
    if (message.type === 'welcome') this.#state = { tag: 'ready', geometry: message.geometry };
    this.#settle(request, { answer: message });
  }

  /** The connection is gone: what waits fails with `error`, and so does every later call. */
  handleLost(error: FsError): void {
    if (this.#state.tag === 'lost') return;
    this.#state = { tag: 'lost', error };
    for (const request of this.#pending.ids()) this.#settle(request, { error });
    this.#files.clear();
  }

  #disconnect(error: FsError): void {
    this.handleLost(error);
    this.#commands.push({ do: 'disconnect' });
  }

  #geometry(): Geometry {
    const state = this.#state;
    if (state.tag === 'ready') return state.geometry;
    if (state.tag === 'lost') throw new FsError(state.error.code, state.error.message);
    throw new FsError('ECONNLOST', 'the daemon has not answered yet');
  }

  #opened(number: number, handle: number): OpenFile {
    const file = checkFile(number, this.#geometry().files);
    const opened = this.#files.get(file);
    if (opened?.handle === handle) return opened;
    throw new FsError('EBADF', `file ${file} is not open: open it first`);
  }

  /** What a call for `wanted` bytes moves: what is left before the end of the file. */
  #transfer(opened: OpenFile, wanted: number): Transfer {
    if (opened.sizeBytes === undefined) {
      throw new FsError('EBADF', `the open of file ${opened.file} is not answered yet`);
    }
    return { offset: opened.offset, count: Math.min(wanted, opened.sizeBytes - opened.offset) };
  }

  #advance(opened: OpenFile, count: number): number {
    this.#pending.checkRoom(count);
    const request = this.#pending.nextId();
    opened.offset += count;
    opened.movedBy = request;
    return request;
  }

  /** A call that moved less than it was to leaves the offset behind, unless a later call used it. */
  #correctOffset(opened: OpenFile, request: number, offset: number): void {
    if (opened.movedBy === request) opened.offset = Math.min(offset, opened.offset);
  }

  #answerNothing(): number {
    this.#pending.checkRoom(0);
    const request = this.#pending.nextId();
    this.#commands.push({ do: 'resolve', request, answer: undefined });
    return request;
  }

  #ask(
    request: number,
    message: Message<RequestType>,
    sizeBytes: number,
    settle: (answer: Answer | undefined) => void = () => undefined,
  ): void {
    this.#pending.add(request, { type: message.type, sizeBytes, settle });
    this.#commands.push({ do: 'send', message });
  }

  #settle(request: number, outcome: { answer: Answer } | { error: FsError }): void {
    const pending = this.#pending.take(request);
    if (pending === undefined) return;
    if ('answer' in outcome) {
      pending.settle(outcome.answer);
      this.#commands.push({ do: 'resolve', request, answer: outcome.answer });
    } else {
      pending.settle(undefined);
      this.#commands.push({ do: 'reject', request, error: outcome.error });
    }
  }
}
