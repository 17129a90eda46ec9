/** What can be fuzzed: a decoder, or something that takes datagrams. */

import { inspect, isDeepStrictEqual } from 'node:util';

export interface FuzzTarget {
  readonly name: string;
  /** Its part of all executions, in relation to the other targets: cheap ones get more. */
  readonly share: number;
  /** Valid inputs that mutations begin with. */
  readonly samples: readonly Uint8Array[];
  /**
   * Takes an input, which is only lent; true if it was accepted. Throws if what was fuzzed broke its
   * promises: it threw anything but its declared error, or what it accepted does not come back.
   */
  run(input: Uint8Array): boolean;
}

/** Throws if `again`, which was encoded from `first` and decoded, is something else. */
export const expectRoundTrip = (first: unknown, again: unknown): void => {
  if (first === again || isDeepStrictEqual(first, again)) return;
  throw new Error(`no round trip: ${show(first)} came back as ${show(again)}`);
};

const MAX_SHOWN = 500;
const show = (value: unknown): string => inspect(value, { depth: 4 }).slice(0, MAX_SHOWN);

/** Runs `decode`; undefined if it throws an error for which `isDeclared` holds. */
export const decodeOrRefuse = <T>(
  decode: () => T,
  isDeclared: (error: unknown) => boolean,
): T | undefined => {
  try {
    return decode();
  } catch (error) {
    if (isDeclared(error)) return undefined;
    throw error;
  }
};

export const textOf = (input: Uint8Array): string => new TextDecoder().decode(input);
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
