/** I/O: what goes over the socket of a node's agent: a request a line, an answer a line, in JSON; checked. */

import { z } from 'zod';
import { PROBES_LIMIT } from './probing.ts';

/** A lease may be a day long at most. */
const LEASE_LIMIT_MS = 86_400_000;
const RULES_LIMIT = 4096;
const TEXT_LIMIT = 200;

const probability = z.number().min(0).max(1);
const text = z.string().min(1).max(TEXT_LIMIT);
const id = text.regex(/^[\w.-]+$/);
const millis = z.number().min(0).max(LEASE_LIMIT_MS);
const token = z.int().min(0).max(0xffff_ffff);

const loss = z.discriminatedUnion('model', [
  z.object({ model: z.literal('none') }).readonly(),
  z.object({ model: z.literal('random'), probability, correlation: probability }).readonly(),
  z
    .object({
      model: z.literal('gilbert-elliott'),
      toBad: probability,
      toGood: probability,
      lossInGood: probability,
      lossInBad: probability,
    })
    .readonly(),
]);

const fault = z
  .object({
    delayMs: millis,
    jitterMs: millis,
    distribution: z.enum(['uniform', 'normal']),
    correlation: probability,
    loss,
    duplicate: probability,
    corrupt: probability,
    reorder: probability,
    rate: z.number().positive().optional(),
  })
  .transform((checked) => ({ ...checked, rate: checked.rate }))
  .readonly();

const rule = z
  .object({ direction: z.enum(['out', 'in']), peer: text.optional(), fault })
  .transform((checked) => ({ ...checked, peer: checked.peer }))
  .readonly();

export const settingSchema = z
  .object({
    id,
    kind: z.enum(['profile', 'partition']),
    label: text,
    seed: token,
    rules: z.array(rule).max(RULES_LIMIT).readonly(),
  })
  .readonly();

const selection = z.union([z.enum(['profile', 'partition', 'all']), z.object({ id }).readonly()]);

export const requestSchema = z.discriminatedUnion('do', [
  /** Takes a setting, or renews it. */
  z.object({ do: z.literal('hold'), setting: settingSchema, leaseMs: millis }),
  /** Tells what would be done, and does nothing. */
  z.object({ do: z.literal('preview'), setting: settingSchema }),
  z.object({ do: z.literal('clear'), what: selection }),
  z.object({ do: z.literal('show') }),
  /** Answers the probes of a token for a while. */
  z.object({ do: z.literal('expect'), token, forMs: millis }),
  /** How many of them have come. */
  z.object({ do: z.literal('arrived'), token }),
  z.object({
    do: z.literal('probe'),
    token,
    peer: text,
    count: z.int().min(1).max(PROBES_LIMIT),
    everyMs: millis,
    waitMs: millis,
  }),
]);

export type Request = z.output<typeof requestSchema>;

const probeResult = z
  .object({ sent: z.number(), received: z.number(), meanMs: z.number(), leastMs: z.number() })
  .readonly();

const shown = settingSchema.unwrap().extend({ leftMs: z.number() }).readonly();

/** What each request is answered with, unless it fails. */
export const ANSWERS = {
  hold: z.object({ outcome: z.enum(['new', 'renewed', 'cleared']) }),
  preview: z.object({ commands: z.array(z.string()) }),
  clear: z.object({ cleared: z.array(z.string()) }),
  show: z.object({
    engine: z.enum(['relay', 'tc']),
    seeded: z.boolean(),
    settings: z.array(shown),
  }),
  expect: z.object({}),
  arrived: z.object({ count: z.number() }),
  probe: probeResult,
} as const;

export type Answer<D extends Request['do']> = z.output<(typeof ANSWERS)[D]>;

export const failureSchema = z.object({ error: z.string() });

/** Every answer repeats the number of its request. */
export const numberedSchema = z.looseObject({ number: z.number() });
