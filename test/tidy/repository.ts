/** Does I/O: the files of this repository, as the checks of its style see them. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Made by tools, or not ours. */
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', '.git']);
const GENERATED = /\.gen\.(js|d\.ts)$/;

const walk = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : walk(path);
    return entry.isFile() && !GENERATED.test(entry.name) ? [path] : [];
  });

/** Paths of all files of the repository, from its root, with forward slashes. */
export const listFiles = (): string[] =>
  walk(ROOT).map((path) => relative(ROOT, path).split(sep).join(posix.sep));

export const readText = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
