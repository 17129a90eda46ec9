import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { coopfs, endOf, startCoopfs } from './coopfs.ts';

describe('coopfs demo', function () {
  this.timeout(120_000);
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  // The loader that runs the sources has a folder of its own there.
  const leftovers = (): string[] => readdirSync(folder).filter((name) => !name.startsWith('tsx-'));

  it('shows a cluster at work, compares it with direct mode, and leaves nothing behind', async () => {
    const { status, out, err } = await coopfs(['demo'], { env: { TMPDIR: folder } });
    expect(err).to.equal('');
    expect(status).to.equal(0);
    for (const node of ['n1', 'n2', 'n3', 'n4']) {
      expect(out).to.match(new RegExp(`^ {2}${node} +write 5 .* in 2 memories$`, 'm'));
    }
    expect(out.match(/^linearizable: yes \(\d+ operations on 10 files\)$/gm)).to.have.length(2);
    expect(out).to.match(
      /^every dirty file was on two nodes when its write was acknowledged: yes/m,
    );
    expect(out).to.match(/^reads served from: local memory [1-9].* peer memory [1-9]/m);
    expect(out).to.match(/^Cooperation served \d+ of \d+ reads from the memories of the nodes/m);
    expect(leftovers()).to.deep.equal([]);
  });

  it('stops everything and leaves nothing behind when it is interrupted', async () => {
    const demo = startCoopfs(['demo'], { env: { TMPDIR: folder } });
    const ended = endOf(demo);
    if (demo.stdout) await once(demo.stdout, 'data');
    demo.kill('SIGINT');
    const { status, err } = await ended;
    expect(status).to.equal(1);
    expect(err).to.equal('coopfs demo: interrupted by SIGINT\n');
    expect(leftovers()).to.deep.equal([]);
  });
});
