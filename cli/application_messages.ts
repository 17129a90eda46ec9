/** What a run and its application processes, one a node, tell each other: a JSON line a message. Pure. */

import type { KeySource } from './cluster_key.ts';
import type { CommandRecord } from './command_record.ts';
import type { Command } from './request_set.ts';

/** Who is talked to: a node's cacher, or the file server directly. */
export type Daemon = { readonly socket: string } | ({ readonly server: string } & KeySource);

/** Whom an application talks to: in a container, the daemon that the environment there names. */
export type Target = Daemon | { readonly fromEnvironment: true };

export type ToApplication =
  | {
      readonly type: 'prepare';
      readonly node: string;
      readonly target: Target;
      readonly commands: readonly Command[];
    }
  /** All applications are connected. */
  | { readonly type: 'start' }
  | { readonly type: 'released'; readonly met: boolean };

export type FromApplication =
  | { readonly type: 'alive' }
  | { readonly type: 'connected' }
  | { readonly type: 'arrived'; readonly barrier: string }
  | { readonly type: 'record'; readonly record: CommandRecord }
  | { readonly type: 'finished' }
  | { readonly type: 'failed'; readonly message: string };

/** JSON has neither bytes nor big integers: each is an object with this one key. */
const BYTES = '$bytes';
const INTEGER = '$integer';

const pack = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return { [INTEGER]: String(value) };
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value).toString('base64') };
  return value;
};

const unpack = (_key: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (BYTES in value) return new Uint8Array(Buffer.from(String(value[BYTES]), 'base64'));
  return INTEGER in value ? BigInt(String(value[INTEGER])) : value;
};

/** A message as a line, with its end. */
export const messageToLine = (message: ToApplication | FromApplication): string =>
  `${JSON.stringify(message, pack)}\n`;

/** The message that `messageToLine` made a line of. @throws SyntaxError if the line is no JSON. */
export const messageFromLine = (line: string): unknown => JSON.parse(line, unpack);
