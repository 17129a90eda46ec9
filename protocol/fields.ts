/** What a field of a message may hold. Each check gives the value its type, or says what is wrong. */

import {
  isNodeName,
  type ClientId,
  type FileNumber,
  type Geometry,
  type NodeId,
  type OpenPolicy,
  type Order,
  type Outcome,
  type Source,
  type Version,
} from './ids.ts';
import { FsError, isErrorCode, type ErrorCode } from './errors.ts';

/** Turns what protobuf decoded into a value of type T; throws EPROTO with `place` in the message. */
export type Field<T> = (value: unknown, place: string) => T;

const wrong = (place: string, value: unknown, right: string): FsError =>
  new FsError('EPROTO', `${place} is ${String(value)}, must be ${right}`);

const oneOf =
  <T extends string>(...values: readonly T[]): Field<T> =>
  (value, place) => {
    const found = values.find((each) => each === value);
    if (found === undefined) throw wrong(place, value, values.join(' or '));
    return found;
  };

/** An unsigned integer of 32 bits. */
export const uint32: Field<number> = (value, place) => {
  if (typeof value !== 'number') throw wrong(place, value, 'a number');
  return value;
};

/** An integer of 0 to 2^53 − 1 that travels as a double. */
export const uint53: Field<number> = (value, place) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(place, value, 'a whole number of 0 to 2^53 - 1');
  }
  return value;
};

export const millis: Field<number> = (value, place) => {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw wrong(place, value, 'a duration in ms');
  }
  return value;
};

export const flag: Field<boolean> = (value, place) => {
  if (typeof value !== 'boolean') throw wrong(place, value, 'true or false');
  return value;
};

export const text: Field<string> = (value, place) => {
  if (typeof value !== 'string') throw wrong(place, value, 'a string');
  return value;
};

/** Bytes are a view of the decoded datagram: whoever keeps them copies them. */
export const bytes: Field<Uint8Array> = (value, place) => {
  // Node's protobufjs gives subclasses of Uint8Array whose slice() shares memory instead of copying.
  if (value instanceof Uint8Array) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  // protobufjs shares one empty array as the default.
  if (Array.isArray(value) && value.length === 0) return new Uint8Array(0);
  throw wrong(place, value, 'bytes');
};

export const file: Field<FileNumber> = (value, place) => uint32(value, place) as FileNumber;

export const client: Field<ClientId> = (value, place) => uint53(value, place) as ClientId;

export const node: Field<NodeId> = (value, place) => {
  if (typeof value !== 'string' || !isNodeName(value)) {
    throw wrong(place, JSON.stringify(value), 'a node name, 1 to 32 of A-Z a-z 0-9 . _ -');
  }
  return value;
};

/** A node name, or nothing. */
export const maybeNode: Field<NodeId | undefined> = (value, place) =>
  value === '' ? undefined : node(value, place);

export const source: Field<Source> = oneOf('local', 'peer', 'server', 'disk');
export const openPolicy: Field<OpenPolicy> = oneOf('share', 'wait', 'fail');
export const refusal = oneOf('base', 'not-yet', 'stale');

export const errorCode: Field<ErrorCode> = (value, place) => {
  if (typeof value !== 'string' || !isErrorCode(value)) throw wrong(place, value, 'an error code');
  return value;
};

const part = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;

export const version: Field<Version> = (value, place) => ({
  term: uint53(part(value, 'term'), place),
  counter: uint53(part(value, 'counter'), place),
});

export const order: Field<Order> = (value, place) => ({
  epoch: uint32(part(value, 'epoch'), place),
  sequence: uint53(part(value, 'sequence'), place),
});

export const outcome: Field<Outcome> = (value, place) => ({
  client: client(part(value, 'client'), place),
  operation: uint32(part(value, 'operation'), place),
  count: uint32(part(value, 'count'), place),
});

export const geometry: Field<Geometry> = (value, place) => ({
  files: uint32(part(value, 'files'), place),
  blockSizeBytes: uint32(part(value, 'blockSizeBytes'), place),
  blocksPerFile: uint32(part(value, 'blocksPerFile'), place),
});

/** One member of the cluster, as the file server knows it. */
export interface Member {
  readonly node: NodeId;
  readonly incarnation: number;
  /** Where its rudp socket is, "host:port". */
  readonly address: string;
}

export const member: Field<Member> = (value, place) => ({
  node: node(part(value, 'node'), place),
  incarnation: uint53(part(value, 'incarnation'), place),
  address: text(part(value, 'address'), place),
});

/** What a member still has of a file: a clean copy, dirty contents, or an empty place for them. */
export type HoldingKind = 'clean' | 'dirty' | 'empty' | 'none';

export const holdingKind: Field<HoldingKind> = oneOf('clean', 'dirty', 'empty', 'none');

export interface Holding {
  readonly file: FileNumber;
  readonly kind: HoldingKind;
  readonly term: number;
  readonly version: Version;
}

export const holding: Field<Holding> = (value, place) => ({
  file: file(part(value, 'file'), place),
  kind: holdingKind(part(value, 'kind'), place),
  term: uint53(part(value, 'term'), place),
  version: version(part(value, 'version'), place),
});

/** An application that has a file open for writing, and the request that opened it. */
export interface WriterOf {
  readonly file: FileNumber;
  readonly client: ClientId;
  readonly opening: number;
}

export const writerOf: Field<WriterOf> = (value, place) => ({
  file: file(part(value, 'file'), place),
  client: client(part(value, 'client'), place),
  opening: uint32(part(value, 'opening'), place),
});

/** How often writes of a file were lost with all nodes that held them. */
export interface FileLosses {
  readonly file: FileNumber;
  readonly times: number;
}

export const fileLosses: Field<FileLosses> = (value, place) => ({
  file: file(part(value, 'file'), place),
  times: uint32(part(value, 'times'), place),
});

/** How many copies of a file the cluster has; a hint, which may be out of date. */
export interface CopyHint {
  readonly file: FileNumber;
  readonly copies: number;
}

export const copyHint: Field<CopyHint> = (value, place) => ({
  file: file(part(value, 'file'), place),
  copies: uint32(part(value, 'copies'), place),
});

/** A list of at most `limit` items. */
export const listOf =
  <T>(item: Field<T>, limit: number): Field<readonly T[]> =>
  (value, place) => {
    if (!Array.isArray(value)) throw wrong(place, value, 'a list');
    if (value.length > limit) throw wrong(place, `${value.length} items`, `at most ${limit} items`);
    return value.map((each) => item(each, place));
  };
