/** What the measuring process asks of a server and of a client, and what they answer. Pure. */

/** Sizes in bytes. */
export const REQUEST_BYTES = 128;
export const RESPONSE_BYTES = 1024;
export const BULK_BYTES = 64 * 1024;

/** The first byte of a message: a request to be answered, or one of many that are counted. */
export const KIND = { request: 0x52, bulk: 0x42 } as const;
/** Where the number of a request stands, which the response repeats in the same place. */
export const NUMBER_AT = 1;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export type ServerJob =
  /** `fresh`: by an instance of the peer's module that knows nothing of earlier ones. */
  | { readonly do: 'listen'; readonly port: number; readonly fresh?: boolean }
  | { readonly do: 'count' };

export interface ServerCount {
  /** Of this process, user and system, in seconds. */
  readonly cpuSeconds: number;
  /** Bulk messages and their bytes that have come, and when the last one did (`hrtime`, ms). */
  readonly messages: number;
  readonly bytes: number;
  readonly lastAtMs: number;
  /** Messages of a wrong length. */
  readonly wrong: number;
  readonly nowMs: number;
  /** Handshakes that have left state and are not complete, if the peer can say (rudp). */
  readonly halfOpen?: number;
}

export type ClientJob =
  | ({ readonly do: 'connect'; readonly connections: number; readonly fresh?: boolean } & Address)
  /** Keeps `inFlight` requests of every connection open from now on. */
  | { readonly do: 'load'; readonly inFlight: number }
  /** Counts the answers of so many ms. */
  | { readonly do: 'measure'; readonly ms: number }
  /** Sends bulk messages on the first connection, at most so many and for so long. */
  | { readonly do: 'pour'; readonly messages: number; readonly ms: number }
  /** One request of so many bytes on the first connection. */
  | { readonly do: 'one'; readonly bytes: number }
  /** Connects with a fresh instance of the peer's module, and asks once. */
  | ({ readonly do: 'first' } & Address)
  /** What the first connection has sent again so far. */
  | { readonly do: 'repeats' }
  | { readonly do: 'close' };

export interface MeasuredRequests {
  readonly answered: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Of `pour`. */
export interface Poured {
  readonly sent: number;
  readonly begunMs: number;
  readonly cpuSeconds: number;
}

/** Of `one` and `first`. */
export interface Took {
  readonly ms: number;
}

export type FloodJob = {
  readonly do: 'flood';
  readonly count: number;
  readonly ms: number;
} & Address;
