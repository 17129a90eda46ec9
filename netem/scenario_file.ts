/** I/O: scenarios in YAML, read and checked; those of netem/scenarios/ by their names, too. */

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { z } from 'zod';
import { FsError, messageOf } from '../protocol/errors.ts';
import { isNodeName } from '../protocol/ids.ts';
import type { Profile } from './fault.ts';
import { parseMs } from './fault_words.ts';
import { parseGroups, parseLink, type Target } from './plan.ts';
import { parseYaml, profileNamed, worded } from './profile_file.ts';
import type { Action, Scenario, Step } from './scenario.ts';

const OWN_FOLDER = new URL('scenarios/', import.meta.url);
const ENDING = '.yaml';
/** Nothing takes longer than a day. */
const TIME_LIMIT_MS = 86_400_000;
const STEPS_LIMIT = 10_000;
/** How long a scenario without an end goes on after its last step. */
const REST_MS = 1000;

/** Text that `read` takes; it refuses by errors that say what would be right. */
const readBy = <T>(read: (text: string) => T) =>
  z
    .string({ error: ({ input }) => `${JSON.stringify(input)} is no text` })
    .transform((text, context): T => {
      try {
        return read(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: messageOf(error) });
        return z.NEVER;
      }
    });

const time = worded((text) => {
  const ms = parseMs(text);
  return ms === undefined || ms > TIME_LIMIT_MS ? undefined : ms;
}, 'a time with its unit, such as 2s or 500ms');
const node = worded((text) => (isNodeName(text) ? text : undefined), 'the name of a node');
const ACTIONS = {
  apply: readBy((text): Profile => profileNamed(text)),
  partition: readBy(parseGroups),
  heal: z.literal('partitions', { error: 'expected partitions' }),
  clear: z.enum(['profiles', 'all'], { error: 'expected profiles or all' }),
  kill: node,
  restart: node,
  pause: node,
  continue: node,
} as const;

type ActionName = keyof typeof ACTIONS;
const NAMES = Object.keys(ACTIONS) as readonly ActionName[];
const LASTING: readonly ActionName[] = ['apply', 'partition'];

const stepShape = z.strictObject({
  at: time,
  ...z.object(ACTIONS).partial().shape,
  node: node.optional(),
  link: worded(parseLink, 'FROM>TO, such as n1>server').optional(),
  both: z.literal(true, { error: 'expected true, or nothing' }).optional(),
  for: time.optional(),
});

type Raw = z.output<typeof stepShape>;

const targetOf = ({ node: at, link, both }: Raw): Target => {
  if (link !== undefined) return { kind: 'link', ...link, both: both === true };
  return at === undefined ? { kind: 'all' } : { kind: 'node', node: at };
};

const actionOf = (raw: Raw, name: ActionName): Action | undefined => {
  const { apply, partition, clear } = raw;
  if (apply !== undefined) return { do: 'apply', profile: apply, target: targetOf(raw) };
  if (partition !== undefined) return { do: 'partition', groups: partition };
  if (clear !== undefined) return { do: 'clear', what: clear };
  if (name === 'heal') return { do: 'heal' };
  if (name === 'apply' || name === 'partition' || name === 'clear') return undefined;
  const named = raw[name];
  return named === undefined ? undefined : { do: name, node: named };
};

/** What is wrong with the words of a step together; undefined if nothing is. */
const misfit = (raw: Raw, names: readonly ActionName[]): string | undefined => {
  const [name, second] = names;
  if (name === undefined) return `nothing is to be done: expected one of ${NAMES.join(', ')}`;
  if (second !== undefined) return `${name} and ${second} in one step: expected a step for each`;
  if (raw.for !== undefined && !LASTING.includes(name)) {
    return `"for" with ${name}: expected it with ${LASTING.join(' or ')} only`;
  }
  if (name !== 'apply' && (raw.node ?? raw.link) !== undefined) {
    return `"${raw.node === undefined ? 'link' : 'node'}" with ${name}: expected it with apply only`;
  }
  if (raw.node !== undefined && raw.link !== undefined) return '"node" and "link": expected one';
  return raw.both !== undefined && raw.link === undefined
    ? '"both" without "link": expected it with one'
    : undefined;
};

const step = stepShape.transform((raw, context): Step => {
  const names = NAMES.filter((name) => raw[name] !== undefined);
  const message = misfit(raw, names);
  const action = names[0] === undefined ? undefined : actionOf(raw, names[0]);
  if (message !== undefined || action === undefined) {
    context.addIssue({ code: 'custom', message: message ?? 'not understood' });
    return z.NEVER;
  }
  return { ...action, atMs: raw.at, forMs: raw.for };
});

const scenarioSchema = z
  .strictObject({
    about: z.string({ error: 'expected a sentence on what the scenario shows' }),
    steps: z
      .array(step, { error: 'expected a list of steps' })
      .min(1, { error: 'expected one step at least' })
      .max(STEPS_LIMIT),
    end: time.optional(),
  })
  .transform(({ about, steps, end }): Scenario => {
    const lastMs = Math.max(...steps.map(({ atMs, forMs = 0 }) => atMs + forMs));
    return { about, steps, endMs: end ?? lastMs + REST_MS };
  });

/** @throws FsError EINVAL that names file, line, value and what would be right. */
export const parseScenario = (text: string, path: string): Scenario =>
  parseYaml(text, scenarioSchema, path);

/** The names of those that come with coopfs. */
export const scenarioNames = (): readonly string[] =>
  readdirSync(OWN_FOLDER)
    .filter((name) => name.endsWith(ENDING))
    .map((name) => name.slice(0, -ENDING.length))
    .sort();

/**
 * A scenario of a file, or of a name in netem/scenarios/.
 * @throws FsError ENOENT that names those there are, EINVAL for one that is not right.
 */
export const readScenario = (nameOrPath: string): Scenario => {
  const own = new URL(`${nameOrPath}${ENDING}`, OWN_FOLDER);
  const isOwn = /^[\w-]+$/.test(nameOrPath) && existsSync(own);
  let text: string;
  try {
    text = readFileSync(isOwn ? own : nameOrPath, 'utf8');
  } catch (error) {
    const names = scenarioNames().join(', ');
    throw new FsError('ENOENT', `no scenario: ${messageOf(error)}; expected a file, or ${names}`);
  }
  return parseScenario(text, nameOrPath);
};
