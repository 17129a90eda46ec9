import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { guardCluster } from '../../cli/cluster_guard.ts';

describe('the guard of a cluster', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-guarded-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Whether the folder is still there when the one whom the guard outlives has ended. */
  const isLeft = async (stop: readonly string[], holder: number | undefined): Promise<boolean> => {
    const lock = join(folder, 'lock');
    if (holder !== undefined) writeFileSync(lock, `${holder}\n123\n`);
    const guard = guardCluster({ folder, lock, stop }, 1);
    guard.stdin?.end();
    await once(guard, 'exit');
    return existsSync(folder);
  };

  it('removes the folder once the cluster is stopped', async () => {
    expect(await isLeft(['true'], undefined)).to.equal(false);
  });

  it('removes it, too, if the cluster cannot be stopped, unless somebody works on it', async () => {
    const gone = spawn('true');
    await once(gone, 'exit');
    expect(await isLeft(['false'], process.pid)).to.equal(true);
    expect(await isLeft(['false'], gone.pid)).to.equal(false);
  });
});
