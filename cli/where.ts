/** `coopfs where`: who holds a file, and in which state. */

import { Command } from 'commander';
import { connect, formatTerm, formatVersion, type FileLocation } from '../applib/index.ts';
import { print, runs, withExamples } from './action.ts';
import type { Daemon } from './application_messages.ts';
import {
  clusterKeySource,
  clusterPaths,
  requireClusterConfig,
  serverAddress,
} from './cluster_config.ts';
import { keySourceOf } from './cluster_key.ts';
import { EXIT, UsageError } from './exit_status.ts';
import { formatHostPort } from './option_values.ts';
import { declareOptions, resolveOptions, typedIn } from './options.ts';
import { placeOf, type Place } from './run_arguments.ts';

const NAMES = ['dir', 'direct', 'socket', 'keyFile', 'insecure', 'json'] as const;

/** A cluster's file server knows best; a socket asks it by way of its cacher. */
export const targetOf = (place: Place): Daemon => {
  switch (place.kind) {
    case 'socket':
      return { socket: place.socket };
    case 'direct':
      return { server: formatHostPort(place.server), ...place.key };
    case 'dir': {
      const paths = clusterPaths(place.dir);
      const config = requireClusterConfig(paths);
      return { server: serverAddress(config), ...clusterKeySource(paths, config) };
    }
  }
};

const parseFile = ([text = '']: readonly string[]): number => {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(
    `file ${JSON.stringify(text)} is not right: expected a file number, such as 7`,
  );
};

/** The directory's entry of a file, a line for each fact. */
const locationAsText = (location: FileLocation): string[] => {
  const { file, state, version, term, owner, backup, sharers, epoch, eviction } = location;
  return [
    `file      ${file}, ${state}`,
    `version   ${formatVersion(version)} at the server (term ${formatTerm(term)})`,
    `owner     ${owner ?? 'none'}`,
    `backup    ${backup ?? 'none'}`,
    `sharers   ${sharers.length === 0 ? 'none' : sharers.join(', ')}`,
    `epoch     ${epoch}`,
    ...(eviction === '' ? [] : [`eviction  ${eviction}`]),
  ];
};

export const whereCommand = (): Command => {
  const command = declareOptions(
    new Command('where')
      .description('who holds a file: server version, owner, backup, sharers, epoch')
      .argument('<file>', 'the number of the file'),
    NAMES,
  );
  withExamples(command, [
    ['coopfs where 7 --dir /tmp/c', 'file 7 of the cluster in /tmp/c'],
    ['coopfs where 7 --direct 127.0.0.1:7000 --key-file cluster.key --json', 'for programs'],
  ]);
  return runs(command, async (args) => {
    const options = resolveOptions(command, NAMES);
    const file = parseFile(args);
    const place = placeOf(options, typedIn(command), keySourceOf(command, options));
    await using fs = await connect(targetOf(place));
    const location = await fs.where(file);
    if (options.json) print(JSON.stringify(location));
    else print(...locationAsText(location));
    return EXIT.ok;
  });
};
