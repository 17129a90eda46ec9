/**
 * The request sets of the demo, one a node. All four use the same files: 1 to 4 are written by one
 * node each and read by others, 5 is filled by all at once, 6 is handed round, 11 to 14 come from disk.
 */

import { fillContents } from '../fileserver/disk/fill.ts';

export const DEMO_NODES = ['n1', 'n2', 'n3', 'n4'] as const;
export type DemoNode = (typeof DEMO_NODES)[number];

const WORDS: Readonly<Record<DemoNode, string>> = {
  n1: 'spring water',
  n2: 'summer light',
  n3: 'autumn leaf.',
  n4: 'winter snow.',
};
const WORD_BYTES = 12;
/** What each node adds to its own file, which it owns by then. */
const MORE_LINES = ['"\\nand a second line"', '"\\nand a third"', '"\\nand the last"'];

/** `step` nodes further round the ring. */
const nodeAfter = (node: DemoNode, step: number): DemoNode =>
  DEMO_NODES[(DEMO_NODES.indexOf(node) + step) % DEMO_NODES.length] ?? node;

const numberOf = (node: DemoNode): number => DEMO_NODES.indexOf(node) + 1;

/** Everybody writes a file of its own and reads its neighbours': from their memories, not from disk. */
const ownFiles = (node: DemoNode): string[] => [
  `# ${node} writes file ${numberOf(node)}; its neighbours read it from the memories of others`,
  `open ${numberOf(node)} 1`,
  `write ${numberOf(node)} ${WORDS[node]}`,
  ...MORE_LINES.map((line) => `write ${numberOf(node)} ${line}`),
  'barrier written',
  ...[1, 2].flatMap((step) => {
    const other = nodeAfter(node, step);
    const file = numberOf(other);
    return [`open ${file} 0`, `read ${file} ${WORD_BYTES}`, `expect ${WORDS[other]}`];
  }),
  '# read once more: now the copies are here',
  ...[1, 2].flatMap((step) => {
    const other = nodeAfter(node, step);
    const file = numberOf(other);
    return [
      `close ${file}`,
      `open ${file} 0`,
      `read ${file} ${WORD_BYTES}`,
      `expect ${WORDS[other]}`,
      `close ${file}`,
    ];
  }),
  'barrier read',
];

/** All write to file 5 at the same time, each its own part of it; then all see the whole. */
const sharedFile = (node: DemoNode): string[] => [
  '# four writers of one file at the same time',
  'open 5 1',
  ...(node === 'n1' ? [] : [`read 5 ${DEMO_NODES.indexOf(node) * WORD_BYTES}`]),
  `write 5 ${WORDS[node]}`,
  'barrier filled',
  'close 5',
  'open 5 0',
  ...DEMO_NODES.flatMap((each) => [`read 5 ${WORD_BYTES}`, `expect ${WORDS[each]}`]),
  'close 5',
];

/** File 6 goes round: each overwrites what the one before it wrote. */
const handedRound = (node: DemoNode): string[] => [
  '# file 6 goes round, and its ownership with it',
  ...DEMO_NODES.flatMap((writer) => {
    const writes = [
      'open 6 1',
      `write 6 ${WORDS[writer]}`,
      'close 6',
      `barrier round-${numberOf(writer)}`,
    ];
    return writer === node ? writes : [`barrier round-${numberOf(writer)}`];
  }),
  'open 6 0',
  `read 6 ${WORD_BYTES}`,
  `expect ${WORDS.n4}`,
  'close 6',
];

const PART_BYTES = 32;
const PARTS = 4;

/** The text that filled a part of file `file` when the disk was formatted. */
const fillText = (file: number, part: number): string =>
  new TextDecoder().decode(fillContents(file, (part + 1) * PART_BYTES).subarray(part * PART_BYTES));

/** Files nobody has: the first reader brings them from disk, the next from the first one's memory. */
const fromDisk = (node: DemoNode): string[] => {
  const own = 10 + numberOf(node);
  const other = 10 + numberOf(nodeAfter(node, 1));
  const readOf = (file: number): string[] => [
    `open ${file} 0`,
    ...Array.from({ length: PARTS }, (_, part) => [
      `read ${file} ${PART_BYTES}`,
      `expect "${fillText(file, part)}"`,
    ]).flat(),
    `close ${file}`,
  ];
  return [
    '# from disk, then from peers; piece by piece, so that all but the first are here',
    ...readOf(own),
    'barrier fetched',
    ...readOf(other),
  ];
};

/** The request set of a node, as a file would hold it. */
export const demoSet = (node: DemoNode): string =>
  [
    ...ownFiles(node),
    ...sharedFile(node),
    ...handedRound(node),
    ...fromDisk(node),
    `close ${numberOf(node)}`,
    '',
  ].join('\n');
