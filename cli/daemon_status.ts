/** What a daemon says of itself, for people, and whether it serves. Pure. */

import { filesInWords } from '../protocol/stopping.ts';
import { textTable } from './text_table.ts';

type Account = Readonly<Record<string, unknown>>;

const asAccount = (status: unknown): Account =>
  typeof status === 'object' && status !== null ? { ...status } : {};

/** What of a daemon's account is told to people, as far as it says so; the rest is in the JSON. */
const TOLD = {
  epoch: 'epoch',
  filesHeld: 'files',
  dirtyFiles: 'dirty',
  backupsHeld: 'backups',
  freePages: 'free pages',
  pages: 'pages',
  applications: 'applications',
  directClients: 'direct clients',
} as const;

/** What is wrong with a cluster: told when there is any of it. */
const TOLD_IF_ANY = {
  unprotectedFiles: 'on one node only',
  unavailableFiles: 'unavailable',
  lostFiles: 'lost',
} as const;

const countOf = (value: unknown): number | undefined => {
  if (Array.isArray(value)) return value.length;
  return typeof value === 'number' ? value : undefined;
};

/** One line of what a daemon says of itself. */
export const accountInWords = (status: unknown): string => {
  const account = asAccount(status);
  const told = Object.entries(TOLD)
    .filter(([key]) => typeof account[key] === 'number')
    .map(([key, words]) => `${words} ${String(account[key])}`);
  const wrong = Object.entries(TOLD_IF_ANY)
    .map(([key, words]) => [words, countOf(account[key]) ?? 0] as const)
    .filter(([, count]) => count > 0)
    .map(([words, count]) => `${words} ${count}`);
  const { degraded, lastReprotectionMs: tookMs } = account;
  const mode = degraded === true ? ['degraded: writes go to the disk'] : [];
  const took = typeof tookMs === 'number' ? [`last re-protection ${tookMs.toFixed(0)} ms`] : [];
  return [...told, ...mode, ...wrong, ...took].join(', ');
};

/** True if the daemon does its work now: a cacher is a member then. */
export const isServing = (status: unknown): boolean => {
  const { stopping, serverUp = true, admitted = true } = asAccount(status);
  return stopping !== true && serverUp === true && admitted === true;
};

const memberRow = (member: unknown): string[] => {
  const { node, linkUp, leaving, address } = asAccount(member);
  const state = leaving === true ? 'leaves' : linkUp === true ? 'up' : 'not reached';
  return [`  ${String(node)}`, state, String(address), accountInWords(member)];
};

/** Which files lost what was written to them: the line above only counts them. */
export const lossesInWords = (status: unknown): string[] => {
  const { lostFiles } = asAccount(status);
  const lost: unknown[] = Array.isArray(lostFiles) ? lostFiles : [];
  const numbers = lost.map((each) => Number(asAccount(each)['file']));
  return numbers.length > 0 ? [`  lost: the newest contents of ${filesInWords(numbers)}`] : [];
};

/** A daemon's account; the file server's with a line for each member. */
export const daemonAsText = (node: string, status: unknown): string[] => {
  const { members } = asAccount(status);
  const listed: unknown[] = Array.isArray(members) ? members : [];
  const isServer = listed.some((member) => typeof member === 'object');
  return [
    `${node}  ${isServing(status) ? 'up' : 'does not serve now'}, ${accountInWords(status)}`,
    ...lossesInWords(status),
    ...(isServer ? textTable(listed.map(memberRow), ['left', 'left', 'left', 'left']) : []),
  ];
};
