/** The files that documents and comments name. Pure. */

import { posix } from 'node:path';
import type { SourceFile } from './checks.ts';

const IN_BACKTICKS = /`([\w./-]+)`/g;
const LINK = /\]\(([^)#\s]+)(?:#[^)]*)?\)/g;
const DOCUMENT = /\bdocs\/[\w/-]+\.md\b/g;

/** A name with one of these endings means a file of this repository, wherever it lies. */
const OUR_ENDINGS = /\.(ts|md|proto)$/;
/** What exists only after a build. */
const BUILT = /^(dist\/|node_modules\/)|\.gen\.(js|d\.ts)$/;

/** Folders that files lie in, with the slash at their end, so that a folder can be named too. */
const foldersOf = (files: readonly string[]): Set<string> => {
  const folders = new Set<string>();
  for (const file of files) {
    for (let at = file.indexOf('/'); at >= 0; at = file.indexOf('/', at + 1)) {
      folders.add(file.slice(0, at + 1));
    }
  }
  return folders;
};

/** Text outside fenced blocks: those hold sessions, whose files need not be ours. */
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '');

/** Names of files, in a document's prose and links, that are not there. */
export const checkDocument = ({ path, text }: SourceFile, files: readonly string[]): string[] => {
  const known = new Set(files);
  const folders = foldersOf(files);
  const baseNames = new Set(files.map((each) => posix.basename(each)));
  const tops = new Set([...folders].map((each) => each.split('/', 1)[0]));
  const exists = (name: string): boolean =>
    [name, posix.normalize(posix.join(posix.dirname(path), name))].some(
      (each) => known.has(each) || folders.has(each) || folders.has(`${each}/`),
    );
  const missing = new Set<string>();
  for (const [, name = ''] of prose(text).matchAll(IN_BACKTICKS)) {
    if (BUILT.test(name)) continue;
    const inFolder = name.includes('/') && tops.has(name.split('/', 1)[0]);
    const bare = !name.includes('/') && OUR_ENDINGS.test(name);
    if ((inFolder && !exists(name)) || (bare && !baseNames.has(name))) missing.add(name);
  }
  for (const [, name = ''] of prose(text).matchAll(LINK)) {
    if (!/^[a-z]+:/.test(name) && !exists(name)) missing.add(name);
  }
  return [...missing].map((name) => `${path} names ${name}, which does not exist`);
};

/** Documents that a source file refers its readers to, and that are not there. */
export const checkReferences = ({ path, text }: SourceFile, files: readonly string[]): string[] => {
  const known = new Set(files);
  return [...new Set(text.match(DOCUMENT))]
    .filter((name) => !known.has(name))
    .map((name) => `${path} refers to ${name}, which does not exist`);
};
