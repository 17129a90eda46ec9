/** The disk of a scenario: requests wait until the scenario lets the oldest one finish. */

import type { CommitRecord, FileMeta } from '../../fileserver/disk/disk_core.ts';
import {
  fileSizeBytes,
  FIRST_VERSION,
  formatVersion,
  type FileNumber,
  type Geometry,
} from '../../protocol/ids.ts';
import { showBytes } from './show.ts';

type DiskRequest =
  | { readonly do: 'readFile'; readonly token: number; readonly file: FileNumber }
  | { readonly do: 'commit'; readonly token: number; readonly records: readonly CommitRecord[] };

export type DiskResult =
  | {
      readonly kind: 'read';
      readonly token: number;
      readonly bytes: Uint8Array | string;
      readonly text: string;
    }
  | { readonly kind: 'synced'; readonly token: number; readonly text: string };

const FILL = '.'.charCodeAt(0);

export class ScenarioDisk {
  readonly #geometry: Geometry;
  readonly #contents = new Map<FileNumber, Uint8Array>();
  readonly #metas = new Map<FileNumber, FileMeta>();
  readonly requests: DiskRequest[] = [];

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  readonly meta = (file: FileNumber): FileMeta =>
    this.#metas.get(file) ?? { version: FIRST_VERSION, mark: undefined, outcomes: [], losses: 0 };

  bytes(file: FileNumber): Uint8Array {
    return (
      this.#contents.get(file) ?? new Uint8Array(fileSizeBytes(this.#geometry)).fill(FILL)
    ).slice();
  }

  /** The files that are dirty, as the disk knows. */
  markedFiles(): FileNumber[] {
    return [...this.#metas].flatMap(([file, { mark }]) => (mark === undefined ? [] : [file]));
  }

  filesWithLosses(): FileNumber[] {
    return [...this.#metas].flatMap(([file, { losses }]) => (losses > 0 ? [file] : []));
  }

  /** Version, mark and contents of a file, as an `expect` sees them. */
  show(file: FileNumber): string {
    const { version, mark } = this.meta(file);
    const marked = mark === undefined ? '' : ` mark ${mark.term} ${mark.owner} ${mark.backup}`;
    return `${formatVersion(version)} ${showBytes(this.bytes(file))}${marked}`;
  }

  /** Finishes the oldest request; undefined if there is none. */
  finish(fails: boolean): DiskResult | undefined {
    const request = this.requests.shift();
    if (request === undefined) return undefined;
    const { token } = request;
    if (request.do === 'readFile') {
      const { file } = request;
      if (fails) return { kind: 'read', token, bytes: 'a bad block', text: `read ${file} fails` };
      return { kind: 'read', token, bytes: this.bytes(file), text: `read ${file}` };
    }
    const text = request.records.map((record) => this.#apply(record)).join(', ');
    return { kind: 'synced', token, text };
  }

  #apply(record: CommitRecord): string {
    if (record.kind === 'epoch') return 'epoch';
    const { file } = record;
    const meta = this.meta(file);
    if (record.kind === 'mark') {
      this.#metas.set(file, { ...meta, mark: record.mark });
      const { term, owner, backup } = record.mark;
      return `mark ${file} term=${term} owner=${owner} backup=${backup}`;
    }
    const { version } = record;
    const losses = meta.losses + (record.afterLoss === true ? 1 : 0);
    if (record.kind === 'unmark') {
      this.#metas.set(file, { ...meta, version, mark: undefined, losses });
      return `unmark ${file} ${formatVersion(version)}`;
    }
    const { bytes, outcomes } = record;
    this.#contents.set(file, bytes.slice());
    this.#metas.set(file, { version, mark: undefined, outcomes, losses });
    return `contents ${file} ${formatVersion(version)} ${showBytes(bytes)}`;
  }
}
