/**
 * Probes: small datagrams that one node sends and another one sends back, to measure what a path does.
 * They take the way of all datagrams. A node answers those it was told to expect, and nobody else's.
 * Pure: time comes in.
 */

/** "coopfs netem probe", cut to eight bytes no rudp packet begins with. */
const MAGIC = Uint8Array.from([0xff, 0x63, 0x6e, 0x70, 0x72, 0x6f, 0x62, 0x65]);
const KIND_AT = MAGIC.length;
const TOKEN_AT = KIND_AT + 1;
const NUMBER_AT = TOKEN_AT + 4;
export const PROBE_BYTES = NUMBER_AT + 4;
const PING = 1;
const PONG = 2;
/** Runs and expectations at a time. */
const TOKENS_LIMIT = 64;
/** Probes of one run; numbers beyond it are nobody's. */
export const PROBES_LIMIT = 100_000;

export interface ProbeResult {
  readonly sent: number;
  readonly received: number;
  /** Round trips in ms; 0 if none came back. */
  readonly meanMs: number;
  readonly leastMs: number;
}

interface Run {
  readonly sentAt: number[];
  readonly answered: Set<number>;
  sumMs: number;
  leastMs: number;
}

const encode = (kind: number, token: number, number: number): Uint8Array => {
  const bytes = new Uint8Array(PROBE_BYTES);
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint8(KIND_AT, kind);
  view.setUint32(TOKEN_AT, token);
  view.setUint32(NUMBER_AT, number);
  return bytes;
};

const isProbe = (bytes: Uint8Array): boolean =>
  bytes.length === PROBE_BYTES && MAGIC.every((each, index) => bytes[index] === each);

/** What is to be done with a datagram: it is none of ours, or it is, and may ask for an answer. */
export type Arrival = 'other' | 'taken' | { readonly answer: Uint8Array };

export class Probing {
  readonly #expected = new Map<number, { until: number; readonly seen: Set<number> }>();
  readonly #runs = new Map<number, Run>();

  /** Answers the probes of `token` until then. False if too many are expected. */
  expect(token: number, until: number, now: number): boolean {
    for (const [each, expected] of this.#expected) {
      if (expected.until <= now) this.#expected.delete(each);
    }
    if (this.#expected.size >= TOKENS_LIMIT) return false;
    this.#expected.set(token, { until, seen: new Set() });
    return true;
  }

  /** How many different probes of `token` have arrived here. */
  arrived(token: number): number {
    return this.#expected.get(token)?.seen.size ?? 0;
  }

  /** Begins a run of probes. False if too many are under way. */
  begin(token: number): boolean {
    if (this.#runs.size >= TOKENS_LIMIT) return false;
    this.#runs.set(token, { sentAt: [], answered: new Set(), sumMs: 0, leastMs: Infinity });
    return true;
  }

  /** The next probe of a run; `now` is taken for its sending. */
  next(token: number, now: number): Uint8Array {
    const sentAt = this.#runs.get(token)?.sentAt ?? [];
    sentAt.push(now);
    return encode(PING, token, sentAt.length - 1);
  }

  /** Ends a run. */
  end(token: number): ProbeResult {
    const run = this.#runs.get(token);
    this.#runs.delete(token);
    const received = run?.answered.size ?? 0;
    if (run === undefined || received === 0) {
      return { sent: run?.sentAt.length ?? 0, received: 0, meanMs: 0, leastMs: 0 };
    }
    const meanMs = run.sumMs / received;
    return { sent: run.sentAt.length, received, meanMs, leastMs: run.leastMs };
  }

  handle(bytes: Uint8Array, now: number): Arrival {
    if (!isProbe(bytes)) return 'other';
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const token = view.getUint32(TOKEN_AT);
    const number = view.getUint32(NUMBER_AT);
    if (view.getUint8(KIND_AT) === PING) {
      const expected = this.#expected.get(token);
      if (expected === undefined || expected.until <= now || number >= PROBES_LIMIT) return 'taken';
      expected.seen.add(number);
      return { answer: encode(PONG, token, number) };
    }
    this.#answered(token, number, now);
    return 'taken';
  }

  #answered(token: number, number: number, now: number): void {
    const run = this.#runs.get(token);
    const sentAt = run?.sentAt[number];
    if (run === undefined || sentAt === undefined || run.answered.has(number)) return;
    run.answered.add(number);
    run.sumMs += now - sentAt;
    run.leastMs = Math.min(run.leastMs, now - sentAt);
  }
}
