/** Does I/O: which nodes run which request sets: the arguments of `coopfs run`, with the sets read. */

import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { messageOf } from '../protocol/errors.ts';
import { isNodeName } from '../protocol/ids.ts';
import {
  clusterKeySource,
  clusterPaths,
  requireClusterConfig,
  serverAddress,
  UNKNOWN_FILL,
} from './cluster_config.ts';
import { requireKeySource, type KeySource } from './cluster_key.ts';
import { applicationIn, composeProgram, SERVER_SERVICE } from './compose.ts';
import { UsageError } from './exit_status.ts';
import { initialContents, initialContentsThere, type InitialContents } from './initial_contents.ts';
import { formatHostPort, type HostPort } from './option_values.ts';
import { parseRequestSet, type Command } from './request_set.ts';
import type { NodeSet } from './run_sets.ts';

/** Where applications connect, as the options of a command say it: exactly one of the three. */
export type Place =
  | { readonly kind: 'dir'; readonly dir: string }
  | { readonly kind: 'direct'; readonly server: HostPort; readonly key: KeySource }
  | { readonly kind: 'socket'; readonly socket: string };

export interface PlaceOptions {
  readonly dir: string | undefined;
  readonly direct: HostPort | undefined;
  readonly socket: string | undefined;
}

/**
 * The place that the options name. What was typed goes before what the environment says, and there
 * a socket before the file server: a node's applications go through its cacher.
 * @throws UsageError if none or more than one is named, or there is no key for --direct.
 */
export const placeOf = (
  options: PlaceOptions,
  wasTyped: (name: keyof PlaceOptions) => boolean,
  key: KeySource | undefined,
): Place => {
  const { dir, direct, socket } = options;
  const typed = (['dir', 'direct', 'socket'] as const).filter(
    (name) => options[name] !== undefined && wasTyped(name),
  );
  if (typed.length > 1) {
    throw new UsageError('--dir, --direct and --socket exclude one another: use one');
  }
  const kind = typed[0] ?? (['dir', 'socket', 'direct'] as const).find((name) => options[name]);
  if (kind === 'dir' && dir !== undefined) return { kind, dir };
  if (kind === 'socket' && socket !== undefined) return { kind, socket };
  if (kind === 'direct' && direct !== undefined) {
    return { kind, server: direct, key: requireKeySource(key) };
  }
  throw new UsageError(
    'it is not said where: expected --dir DIR, --direct HOST:PORT, --socket PATH, or COOPFS_SOCKET ' +
      'or COOPFS_DIRECT in the environment',
  );
};

interface Assignment {
  readonly node: string;
  readonly set: string;
}

/** "n1=sets/a.txt" taken apart. @throws UsageError. */
export const parseAssignments = (args: readonly string[]): Assignment[] => {
  const seen = new Set<string>();
  return args.map((arg) => {
    const at = arg.indexOf('=');
    const node = arg.slice(0, at);
    const set = arg.slice(at + 1);
    if (at < 1 || set === '' || !isNodeName(node)) {
      throw new UsageError(
        `${JSON.stringify(arg)} is not right: expected NODE=SET, such as n1=a.txt`,
      );
    }
    if (seen.has(node)) throw new UsageError(`${node} has two request sets: expected one a node`);
    seen.add(node);
    return { node, set };
  });
};

/** Opening /dev/stdin fails where it is a socket, so it is read as the stream that it is. */
const STANDARD_INPUT = '/dev/stdin';

const readSet = async (path: string): Promise<Uint8Array> => {
  try {
    return path === STANDARD_INPUT ? await buffer(process.stdin) : await readFile(path);
  } catch (error) {
    throw new UsageError(`the request set ${path} cannot be read: ${messageOf(error)}`);
  }
};

const LINE_FEED = 0x0a;

/** The set as text. @throws UsageError where it is no UTF-8, rather than changing what it says. */
const decodeSet = (bytes: Uint8Array, path: string): string => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(bytes);
  } catch {
    let line = 1;
    for (let at = 0; at < bytes.length; line++) {
      const end = bytes.indexOf(LINE_FEED, at);
      const next = end === -1 ? bytes.length : end + 1;
      if (!isUtf8(bytes.subarray(at, next))) break;
      at = next;
    }
    const right = 'expected UTF-8, and other bytes as \\xNN in double quotes';
    throw new UsageError(`${path}:${line}: the line is not UTF-8, ${right}`);
  }
};

/** The commands of every set. @throws UsageError that tells all malformed lines of all sets. */
const readSets = async (paths: readonly string[]): Promise<(readonly Command[])[]> => {
  if (paths.filter((path) => path === STANDARD_INPUT).length > 1) {
    throw new UsageError(`${STANDARD_INPUT} can be read once: expected one set from it at most`);
  }
  const parsed = await Promise.all(
    paths.map(async (path) => parseRequestSet(decodeSet(await readSet(path), path), path)),
  );
  const errors = parsed.flatMap((set) => (set.ok ? [] : set.errors));
  if (errors.length > 0) throw new UsageError(errors.join('\n'));
  return parsed.map((set) => (set.ok ? set.commands : []));
};

export interface RunPlan {
  readonly sets: readonly NodeSet[];
  /** Finds out what files hold before the run. */
  readonly initial: (files: readonly number[]) => Promise<InitialContents>;
}

const planInDir = async (dir: string, assignments: readonly Assignment[]): Promise<RunPlan> => {
  const paths = clusterPaths(dir);
  const config = requireClusterConfig(paths);
  const names: readonly string[] = config.nodes.map(({ name }) => name);
  const unknown = assignments.find(({ node }) => !names.includes(node));
  if (unknown !== undefined) {
    throw new UsageError(`there is no node ${unknown.node} in ${dir}: it has ${names.join(', ')}`);
  }
  const commands = await readSets(assignments.map(({ set }) => set));
  const server = serverAddress(config);
  return {
    sets: assignments.map(({ node }, index) => ({
      node,
      target: { socket: paths.socket(node as (typeof config.nodes)[number]['name']) },
      commands: commands[index] ?? [],
    })),
    initial: (files) =>
      initialContents(files, { server, ...clusterKeySource(paths, config) }, config.fill),
  };
};

/** In containers the environment says whom to talk to, and nobody outside reaches the file server. */
const planInContainers = async (
  file: string | undefined,
  assignments: readonly Assignment[],
): Promise<RunPlan> => {
  const commands = await readSets(assignments.map(({ set }) => set));
  const program = await composeProgram(file);
  return {
    sets: assignments.map(({ node }, index) => ({
      node,
      target: { fromEnvironment: true },
      commands: commands[index] ?? [],
      launch: applicationIn(program, node),
    })),
    initial: (files) => initialContentsThere(files, applicationIn(program, SERVER_SERVICE)),
  };
};

/** Nodes in containers, by the compose file that made them, if it is named. */
export interface Containers {
  readonly kind: 'compose';
  readonly file: string | undefined;
}

/**
 * What a run shall do. Nothing has been executed when this throws.
 * @throws UsageError about arguments, or about any line of any set.
 */
export const planRun = async (
  place: Place | Containers,
  args: readonly string[],
): Promise<RunPlan> => {
  if (args.length === 0) throw new UsageError('there is no request set to run');
  if (place.kind === 'dir') return planInDir(place.dir, parseAssignments(args));
  if (place.kind === 'compose') return planInContainers(place.file, parseAssignments(args));
  if (place.kind === 'socket') {
    const [path = '', more] = args;
    if (more !== undefined) {
      throw new UsageError(
        `a socket is one node's, which runs one set: ${JSON.stringify(more)} is too much`,
      );
    }
    const target = { socket: place.socket };
    const commands = (await readSets([path]))[0] ?? [];
    return {
      sets: [{ node: 'app', target, commands }],
      initial: (files) => initialContents(files, target, UNKNOWN_FILL),
    };
  }
  const assignments = parseAssignments(args);
  const target = { server: formatHostPort(place.server), ...place.key };
  const commands = await readSets(assignments.map(({ set }) => set));
  return {
    sets: assignments.map(({ node }, index) => ({ node, target, commands: commands[index] ?? [] })),
    initial: (files) => initialContents(files, target, UNKNOWN_FILL),
  };
};
