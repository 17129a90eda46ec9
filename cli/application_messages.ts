/** What a run and its application processes, one a node, tell each other. */

import type { KeySource } from './cluster_key.ts';
import type { CommandRecord } from './command_record.ts';
import type { Command } from './request_set.ts';

/** Whom an application talks to: its node's cacher, or the file server directly. */
export type Target = { readonly socket: string } | ({ readonly server: string } & KeySource);

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
