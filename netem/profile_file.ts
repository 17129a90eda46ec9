/** I/O: the profiles of netem/profiles.yaml, and of files like it. */

import { readFileSync } from 'node:fs';
import { LineCounter, isNode, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { FsError, messageOf } from '../protocol/errors.ts';
import type { Profile } from './fault.ts';
import { parseLoss, parseMs, parsePercent, parseRate } from './fault_words.ts';

const OWN_FILE = new URL('profiles.yaml', import.meta.url);

const notRight = (input: unknown, right: string): string =>
  `${input === undefined ? 'it' : JSON.stringify(input)} is ${input === undefined ? 'missing' : 'not right'}: expected ${right}`;

/** Text that `read` understands; the message says what would be. */
export const worded = <T>(read: (text: string) => T | undefined, right: string) =>
  z.string({ error: ({ input }) => notRight(input, right) }).transform((text, context): T => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: notRight(text, right) });
    return z.NEVER;
  });

const duration = worded(parseMs, 'a duration such as 20ms');
const percentage = worded(parsePercent, 'a percentage such as 0.5%');

/** All words are said in every profile: what is missing would be a figure without a source. */
const profileSchema = z
  .strictObject({
    about: z.string(),
    delay: duration,
    jitter: duration,
    distribution: z.enum(['uniform', 'normal']),
    correlation: percentage,
    loss: worded(
      parseLoss,
      'none, random 1%, random 20% correlation 75% or gilbert-elliott 1% 25%',
    ),
    duplicate: percentage,
    corrupt: percentage,
    reorder: percentage,
    rate: worded(parseRate, 'none, 30mbit or 50mbit/100mbit'),
  })
  .transform(({ delay, jitter, rate, ...same }) => ({
    ...same,
    delayMs: delay,
    jitterMs: jitter,
    rate: rate === 'none' ? undefined : rate,
  }));

const fileSchema = z.record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/), profileSchema);

/** The line on which a place of the document begins, or what it would be part of. */
const lineOf = (document: Document, lines: LineCounter, path: readonly PropertyKey[]): number => {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const node = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
};

/** Text of YAML, checked. @throws FsError EINVAL that names line, place and what would be right. */
export const parseYaml = <S extends z.ZodType>(
  text: string,
  schema: S,
  path: string,
): z.output<S> => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) throw new FsError('EINVAL', `${path} is not YAML: ${error.message}`);
  const result = schema.safeParse(document.toJS());
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path ?? [];
  const at = `${path}:${lineOf(document, lines, where)}`;
  throw new FsError('EINVAL', `${at}: ${where.map(String).join('.')}: ${issue?.message ?? ''}`);
};

/** The profiles of a text, in its order. */
export const parseProfiles = (text: string, path: string): readonly Profile[] =>
  Object.entries(parseYaml(text, fileSchema, path)).map(([name, rest]) => ({ name, ...rest }));

/** @throws FsError EINVAL for a file that is not one of profiles, ENOENT if there is none. */
export const readProfiles = (path: string | URL = OWN_FILE): readonly Profile[] => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new FsError('ENOENT', `no file of profiles: ${messageOf(error)}`);
  }
  return parseProfiles(text, String(path));
};

/** The profile of a name. @throws FsError EINVAL that names those there are. */
export const profileNamed = (name: string, profiles = readProfiles()): Profile => {
  const found = profiles.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = profiles.map((each) => each.name).join(', ');
  throw new FsError(
    'EINVAL',
    `there is no profile ${JSON.stringify(name)}: expected one of ${names}`,
  );
};
