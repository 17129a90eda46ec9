/** I/O: the packages of other transports, in a folder of their own that git and the project know nothing of. */

import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Peer } from './catalogue.ts';

/** From the root of the project, where npm runs scripts. */
const FOLDER = resolve('bench/.peers');
const INSTALL_MS = 120_000;

/** What a package exports. @throws Error if it is not installed. */
export const loadPackage = (name: string): unknown =>
  createRequire(join(FOLDER, 'package.json'))(name) as unknown;

const isInstalled = (spec: string): boolean => {
  const at = spec.lastIndexOf('@');
  try {
    const manifest = join(FOLDER, 'node_modules', spec.slice(0, at), 'package.json');
    const { version } = createRequire(manifest)(manifest) as { readonly version: string };
    return version === spec.slice(at + 1);
  } catch {
    return false;
  }
};

/** Installs what `peer` needs, if it is not there; answers why it cannot be had. */
export const installPeer = async (peer: Peer): Promise<string | undefined> => {
  const { install } = peer;
  if (install === undefined || isInstalled(install)) return undefined;
  mkdirSync(FOLDER, { recursive: true });
  // Without a manifest npm would take the folder of the project.
  const manifest = { private: true, description: 'installed by npm run bench:rudp' };
  writeFileSync(join(FOLDER, 'package.json'), JSON.stringify(manifest));
  const options = ['--no-audit', '--no-fund', '--no-package-lock', '--no-save'];
  try {
    await promisify(execFile)('npm', ['install', '--prefix', FOLDER, ...options, install], {
      timeout: INSTALL_MS,
    });
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    return told.split('\n').slice(0, 2).join(' ');
  }
  return undefined;
};
