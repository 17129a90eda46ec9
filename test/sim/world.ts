/** What every part of one simulated run shares: time, chance, the trace and the links. */

import type { Priority } from '../../rudp/priorities.ts';
import type { EventQueue } from './event_queue.ts';

/** Uniform in [0, 1), from the run's seed. */
export type Random = () => number;

/** What a simulated node hears from its links. */
export interface LinkListener {
  readonly up: (peer: string) => void;
  readonly down: (peer: string) => void;
  readonly message: (peer: string, bytes: Uint8Array) => void;
}

/** A node's links to others by name, as rudp/peer_links.ts gives them. */
export interface Links {
  readonly send: (to: string, channel: number, bytes: Uint8Array, priority?: Priority) => void;
  readonly setPeer: (
    name: string,
    address: string,
    dial: 'always' | 'lower-name',
    incarnation?: number,
  ) => void;
  readonly removePeer: (name: string) => void;
  /** Closes everything; nothing is heard any more. */
  readonly stop: () => void;
  /** The process is gone without a word. */
  readonly kill: () => void;
  /** The process stands still: nothing is received, no timer fires, what arrives waits. */
  readonly pause: (untilMs: number) => void;
}

/** Makes the links of a node; its address is its name. */
export type Network = (name: string, incarnation: number, listener: LinkListener) => Links;

export interface World {
  readonly queue: EventQueue;
  readonly random: Random;
  readonly network: Network;
  /** Of the file server's members. */
  readonly leaseMs: number;
  /** One line of the trace; the hash of all lines names the run. */
  readonly trace: (line: string) => void;
}

/** The first thing that is wrong with a run. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure';
}

export const fail = (text: string): never => {
  throw new SimulationFailure(text);
};
