/** What carries the messages of one connection: a unix socket, or rudp to the file server. */

import type { FsError } from '../protocol/errors.ts';
import type { Message } from '../protocol/messages.ts';

export interface LinkEvents {
  readonly onMessage: (message: Message) => void;
  /** The link is gone, by whichever side; called once, and nothing after it. */
  readonly onLost: (error: FsError) => void;
}

export interface Link {
  /** Takes the message's bytes before it returns. */
  send(message: Message): void;
  /** Whether the link keeps the process alive. */
  hold(alive: boolean): void;
  /** Sends what was handed over, then closes; resolves when that is done. */
  close(): Promise<void>;
}

/** Makes a link; rejects with FsError ECONNLOST if nobody answers there. */
export type Dial = (events: LinkEvents) => Promise<Link>;
