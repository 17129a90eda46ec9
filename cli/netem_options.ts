/** The flags of `coopfs netem`, as cli/options.ts has those of the other commands. */

import { parseLink } from '../netem/plan.ts';
import { isNodeName } from '../protocol/ids.ts';
import * as value from './option_values.ts';

const SEED_LIMIT = 0xffff_ffff;
const PROBES_LIMIT = 10_000;

export const NETEM_OPTIONS = {
  netem: {
    flags: '--netem <path>',
    about: 'a unix socket by which "coopfs netem" may impair what this daemon sends and gets',
    value: value.socketPath,
    right: `a path of at most ${value.SOCKET_PATH_BYTES_LIMIT} bytes`,
    env: 'COOPFS_NETEM',
  },
  ownAgent: {
    flags: '--agent <path>',
    about:
      'one node alone, by the unix socket that its daemon has with --netem: in a container, its own',
    value: value.socketPath,
    right: `a path of at most ${value.SOCKET_PATH_BYTES_LIMIT} bytes`,
    env: 'COOPFS_NETEM',
  },
  impaired: {
    flags: '--node <name>',
    about: 'only what this node sends and gets (default: every link)',
    value: value.parsed((text) => (isNodeName(text) ? text : undefined)),
    right: 'the name of a node, or server',
  },
  link: {
    flags: '--link <link>',
    about: 'only this direction of this link, such as "n1>n2"',
    value: value.parsed(parseLink),
    right: 'FROM>TO with the names of two nodes, such as n1>server (in quotes)',
  },
  both: {
    flags: '--both',
    about: 'with --link: its other direction, too',
    value: value.flag,
    right: '',
    fallback: '',
  },
  engine: {
    flags: '--engine <engine>',
    about:
      'relay, inside the daemons (default), or tc, the queues of the kernel (default with --netns; a local cluster ' +
      'needs --namespaces for it)',
    value: value.netemEngine,
    right: 'relay or tc',
  },
  netns: {
    flags: '--netns <nodes>',
    about: 'nodes in network namespaces of this machine, such as "server,n1=blue"',
    value: value.namespaces,
    right: 'NODE or NODE=NAMESPACE, with commas between them, a name of "ip netns" or a path',
  },
  for: {
    flags: '--for <duration>',
    about: 'ends by itself after this time',
    value: value.duration,
    right: 'a number with its unit, such as 60s or 500ms',
  },
  detach: {
    flags: '-d, --detach',
    about: 'return at once; the nodes end it after --for, or after 10 minutes',
    value: value.flag,
    right: '',
    fallback: '',
  },
  seed: {
    flags: '--seed <n>',
    about: 'what all chance follows from',
    value: value.wholeNumber(0, SEED_LIMIT),
    right: `a whole number from 0 to ${SEED_LIMIT}`,
    fallback: '1',
  },
  dryRun: {
    flags: '--dry-run',
    about: 'print what would be done at each node, and do nothing',
    value: value.flag,
    right: '',
    fallback: '',
  },
  all: {
    flags: '--all',
    about: 'everything: all partitions, too (netem clear); every dirty file (flush)',
    value: value.flag,
    right: '',
    fallback: '',
  },
  experimentEngine: {
    flags: '--engine <engine>',
    about:
      'what makes the network bad; an experiment that has not this one says so, and is left out',
    value: value.experimentEngine,
    right: 'relay, tc or sim',
  },
  quick: {
    flags: '--quick',
    about: 'fewer and shorter measurements: about a minute',
    value: value.flag,
    right: '',
    fallback: '',
  },
  scenario: {
    flags: '--scenario <file>',
    about: 'of the experiment timeline: a scenario as of "coopfs netem run", or its name',
    value: value.filePath,
    right: 'a file in YAML, or the name of a scenario',
    fallback: 'kills',
  },
  outDir: {
    flags: '--out <dir>',
    about: 'the folder for report.html and report.json',
    value: value.filePath,
    right: 'the path of a folder',
    fallback: 'coopfs-experiment',
  },
  probes: {
    flags: '--probes <n>',
    about: 'how many probes measure each direction of each link; 0 measures nothing',
    value: value.wholeNumber(0, PROBES_LIMIT),
    right: `a whole number from 0 to ${PROBES_LIMIT}`,
    fallback: '100',
  },
} as const;
