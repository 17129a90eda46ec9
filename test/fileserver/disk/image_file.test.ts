import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';

import { expect } from 'chai';
import type { DiskEvent } from '../../../fileserver/disk/disk_core.ts';
import { DiskCore } from '../../../fileserver/disk/disk_core.ts';
import { FINDINGS_MAX } from '../../../fileserver/disk/check_image.ts';
import { fillContents } from '../../../fileserver/disk/fill.ts';
import { checkImage, formatImage, ImageFile } from '../../../fileserver/disk/image_file.ts';
import { computeLayout, FREE_MAP_PAGE_BITS } from '../../../fileserver/disk/layout.ts';
import { FsError } from '../../../protocol/errors.ts';
import { fileSizeBytes } from '../../../protocol/ids.ts';
import { contents, file, mark, SMALL, SMALL_JOURNAL_BYTES } from './disk_run.ts';

const OPTIONS = { journalBytes: SMALL_JOURNAL_BYTES };
const { regions, imageSizeBytes } = computeLayout(SMALL, SMALL_JOURNAL_BYTES);

const failure = async (work: Promise<unknown>): Promise<FsError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FsError) return error;
  throw new Error(`no FsError, but ${String(error)}`);
};

/** A disk core on a real file: waits for one event after the other. */
class Served {
  readonly core = new DiskCore();
  readonly image: ImageFile;
  readonly #events: DiskEvent[] = [];
  #wake: () => void = () => undefined;

  private constructor(image: ImageFile) {
    this.image = image;
  }

  static async open(imagePath: string): Promise<Served> {
    const served = new Served(await ImageFile.open(imagePath));
    served.core.open();
    return served;
  }

  async next(): Promise<DiskEvent> {
    for (;;) {
      this.image.pump(this.core, () => {
        for (let e = this.core.pollEvent(); e; e = this.core.pollEvent()) this.#events.push(e);
        this.#wake();
      });
      const event = this.#events.shift() ?? this.core.pollEvent();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

describe('an image file', () => {
  let folder: string;
  let image: string;

  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'coopfs-disk-'));
    image = path.join(folder, 'volume');
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  const edit = async (offset: number, change: (byte: number) => number): Promise<void> => {
    const handle = await fs.open(image, 'r+');
    const byte = new Uint8Array(1);
    await handle.read(byte, 0, 1, offset);
    await handle.write(Uint8Array.of(change(byte[0]!)), 0, 1, offset);
    await handle.close();
  };

  it('is formatted, opened, written, closed and found in order', async () => {
    await formatImage(image, SMALL, { ...OPTIONS, fill: 'x' });
    expect((await fs.stat(image)).size).to.equal(imageSizeBytes);
    const served = await Served.open(image);
    expect(await served.next()).to.include({ type: 'opened', replayed: 0 });
    served.core.readFile(1, file(5));
    const answer = await served.next();
    if (answer.type !== 'file') throw new Error(answer.type);
    expect(answer.bytes).to.deep.equal(fillContents(5, fileSizeBytes(SMALL), 'x'));
    served.core.commit(2, [contents(5, 66), mark(3, 9)]);
    expect(await served.next()).to.deep.equal({ type: 'committed', token: 2 });
    served.core.close();
    expect(await served.next()).to.deep.equal({ type: 'closed' });
    await served.image.close();
    const report = await checkImage(image);
    expect(report).to.deep.include({ findings: [], markedFiles: 1, recordsToReplay: 0 });
    expect(report).to.deep.include({ blocksChecked: 18, geometry: SMALL, cutShort: false });
    expect(await fs.readdir(folder)).to.deep.equal(['volume']);
  });

  it('has everything that was committed when its server was not closed', async () => {
    await formatImage(image, SMALL, OPTIONS);
    const served = await Served.open(image);
    await served.next();
    served.core.commit(2, [contents(5, 66), mark(3, 9)]);
    expect(await served.next()).to.deep.equal({ type: 'committed', token: 2 });
    await served.image.close();
    expect(await checkImage(image)).to.deep.include({ findings: [], recordsToReplay: 1 });
    const again = await Served.open(image);
    expect(await again.next()).to.include({ type: 'opened', replayed: 1 });
    again.core.readFile(1, file(5));
    const answer = await again.next();
    expect(answer.type === 'file' && answer.bytes).to.deep.equal(contents(5, 66).bytes);
    await again.image.close();
  });

  it('is not formatted in a folder that does not exist, and says which', async () => {
    const refused = await failure(formatImage(`${image}.no/volume`, SMALL, OPTIONS));
    expect(refused).to.include({ code: 'ENOENT' });
    expect(refused.message).to.match(/the folder .*volume\.no does not exist: make it first/);
  });

  it('is not formatted over without force, nor while it is open', async () => {
    await fs.writeFile(image, 'dear diary');
    const refused = await failure(formatImage(image, SMALL, OPTIONS));
    expect(refused).to.include({ code: 'EINVAL' });
    expect(refused.message).to.match(/volume exists; .* needs --force/);
    expect(await fs.readFile(image, 'utf8')).to.equal('dear diary');
    await formatImage(image, SMALL, { ...OPTIONS, force: true });
    const open = await ImageFile.open(image);
    const busy = await failure(formatImage(image, SMALL, { ...OPTIONS, force: true }));
    expect(busy).to.include({ code: 'EBUSY' });
    await open.close();
    expect((await checkImage(image)).findings).to.deep.equal([]);
    expect(await fs.readdir(folder)).to.deep.equal(['volume']);
  });

  it('refuses a bad geometry, fill or path, and leaves nothing behind', async () => {
    const bad = [
      formatImage(image, { ...SMALL, files: 0 }),
      formatImage(image, SMALL, { fill: '\n' }),
      formatImage(image, SMALL, { journalBytes: 1 }),
    ];
    for (const work of bad) expect(await failure(work)).to.include({ code: 'EINVAL' });
    expect(await failure(ImageFile.open(image))).to.include({ code: 'ENOENT' });
    expect(await failure(ImageFile.open(folder))).to.include({ code: 'EINVAL' });
    expect(await failure(checkImage(image))).to.include({ code: 'ENOENT' });
    expect(await fs.readdir(folder)).to.deep.equal([]);
  });

  it('is open in one process at a time, and says in which', async () => {
    await formatImage(image, SMALL, OPTIONS);
    const open = await ImageFile.open(image);
    const busy = await failure(ImageFile.open(image));
    expect(busy).to.include({ code: 'EBUSY' });
    expect(busy.message).to.match(new RegExp(`in use by process ${process.pid};`));
    expect(await failure(checkImage(image))).to.include({ code: 'EBUSY' });
    await open.close();
    await (await ImageFile.open(image)).close();
  });

  it('is not served if it is read-only, but checked', async () => {
    await formatImage(image, SMALL, OPTIONS);
    await fs.chmod(image, 0o444);
    const refused = await failure(ImageFile.open(image));
    expect(refused).to.include({ code: 'EINVAL' });
    expect(refused.message).to.match(/volume is read-only; .*: chmod u\+w$/);
    expect((await checkImage(image)).findings).to.deep.equal([]);
    expect(await fs.readdir(folder)).to.deep.equal(['volume']);
  });

  it('is taken over from a process that was killed', async () => {
    await formatImage(image, SMALL, OPTIONS);
    const script = `require('node:net').createServer().listen(${JSON.stringify(`${image}.lock.0badcafe`)}, () => console.log('up'))`;
    const holder = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(await fs.readdir(folder)).to.include('volume.lock.0badcafe');
    await (await ImageFile.open(image)).close();
    expect(await fs.readdir(folder)).to.deep.equal(['volume']);
  });

  it('is opened by exactly one of many that begin at once', async () => {
    await formatImage(image, SMALL, OPTIONS);
    for (let round = 0; round < 20; round++) {
      const all = await Promise.allSettled(Array.from({ length: 6 }, () => ImageFile.open(image)));
      const open = all.filter((result) => result.status === 'fulfilled');
      expect(open).to.have.length(1);
      await open[0]!.value.close();
    }
    expect(await fs.readdir(folder)).to.deep.equal(['volume']);
  });

  it('leaves files alone that are named like a lock and are none', async () => {
    await formatImage(image, SMALL, OPTIONS);
    await fs.writeFile(`${image}.lock.0badcafe`, 'notes');
    await (await ImageFile.open(image)).close();
    expect(await fs.readdir(folder)).to.deep.equal(['volume', 'volume.lock.0badcafe']);
  });

  it('is locked in a folder deeper than the name of a socket may be', async () => {
    const deep = path.join(folder, 'd'.repeat(100), 'e'.repeat(100));
    await fs.mkdir(deep, { recursive: true });
    const deepImage = path.join(deep, 'volume');
    await formatImage(deepImage, SMALL, OPTIONS);
    const open = await ImageFile.open(deepImage);
    expect(await failure(ImageFile.open(deepImage))).to.include({ code: 'EBUSY' });
    await open.close();
    expect(await fs.readdir(deep)).to.deep.equal(['volume']);
  });

  it('is checked: every kind of damage is found, in its place', async () => {
    const cases: [number, string, RegExp][] = [
      [20, 'superblock copy 0', /checksum is wrong/],
      [4_096 + 20, 'superblock copy 1', /checksum is wrong/],
      [regions.allocation.offset + 2 * 256 + 40, 'allocation entry of file 2', /checksum is wrong/],
      [regions.freeMap.offset + 1, 'free-space map page 0', /checksum is wrong/],
      [regions.nodes.offset + 64, 'node 1', /checksum is wrong/],
      [regions.checksums.offset + 5 * 16, 'file 1, block 2', /checksum is wrong/],
      [regions.data.offset + 7 * 64 + 3, 'file 2, block 1', /checksum is wrong/],
    ];
    for (const [offset, place, problem] of cases) {
      await formatImage(image, SMALL, { ...OPTIONS, force: true });
      await edit(offset, (byte) => byte ^ 0x10);
      const { findings } = await checkImage(image);
      expect(findings.map((finding) => finding.place)).to.deep.equal([place]);
      expect(findings[0]!.problem).to.match(problem);
      // What a block's checksum says is a finding about the block.
      const at = place === 'file 1, block 2' ? regions.data.offset + 5 * 64 : offset;
      expect(at - findings[0]!.offset, place).to.be.within(0, 64);
    }
  });

  it('is checked: a corrupt journal, a cut-off image and a foreign file are told', async () => {
    await formatImage(image, SMALL, OPTIONS);
    const served = await Served.open(image);
    await served.next();
    for (const token of [1, 2]) {
      served.core.commit(token, [mark(token, 9)]);
      await served.next();
    }
    await served.image.close();
    await edit(regions.journal.offset + 70, (byte) => byte ^ 1);
    const [finding] = (await checkImage(image)).findings;
    expect(finding).to.include({ place: 'journal', offset: regions.journal.offset });
    await fs.truncate(image, imageSizeBytes - 1);
    const cut = (await checkImage(image)).findings;
    expect(cut).to.deep.equal([
      {
        place: 'image',
        offset: imageSizeBytes - 1,
        problem: `it ends here; it must have ${imageSizeBytes} bytes`,
      },
    ]);
    await fs.writeFile(image, 'dear diary'.repeat(2_000));
    const foreign = await checkImage(image);
    expect(foreign.geometry).to.equal(undefined);
    expect(foreign.findings.map(({ place }) => place)).to.deep.equal([
      'superblock copy 0',
      'superblock copy 1',
    ]);
  });

  it(`lists ${FINDINGS_MAX} findings, and says if there were more`, async () => {
    const geometry = { files: FINDINGS_MAX + 1, blockSizeBytes: 1, blocksPerFile: 1 };
    await formatImage(image, geometry, OPTIONS);
    const { data } = computeLayout(geometry, SMALL_JOURNAL_BYTES).regions;
    const handle = await fs.open(image, 'r+');
    await handle.write(new Uint8Array(FINDINGS_MAX), 0, FINDINGS_MAX, data.offset);
    await handle.close();
    expect(await checkImage(image)).to.include({ cutShort: false });
    await edit(data.offset + FINDINGS_MAX, () => 0);
    const report = await checkImage(image);
    expect(report.findings).to.have.length(FINDINGS_MAX);
    expect(report.cutShort).to.equal(true);
  });

  it('has a free-space map of as many pages as its blocks need', async () => {
    for (const files of [FREE_MAP_PAGE_BITS, FREE_MAP_PAGE_BITS + 1]) {
      const geometry = { files, blockSizeBytes: 1, blocksPerFile: 1 };
      await formatImage(image, geometry, { ...OPTIONS, force: true });
      const report = await checkImage(image);
      expect(report).to.deep.include({ findings: [], blocksChecked: files });
    }
  });
});
