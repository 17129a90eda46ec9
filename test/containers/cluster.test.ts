/** Does I/O: what compose/compose.yaml says of image, names and keys, on a real engine. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { connect } from '../../applib/index.ts';
import { ComposeCluster, sharedCluster } from './compose_cluster.ts';
import { docker } from './engine.ts';

const BASE_IMAGE = process.env['BASE_IMAGE'] ?? 'node:24-bookworm-slim';
const IMAGE = process.env['COOPFS_IMAGE'] ?? 'coopfs';
const MORE_THAN_ITS_BASE_LIMIT_BYTES = 40e6;

describe('compose/compose.yaml', function () {
  this.timeout(120_000);

  it('makes an image of at most 40 MB above its base, without a program that changes the user', async () => {
    await sharedCluster();
    const [image = 0, base = 0] = await Promise.all(
      [IMAGE, BASE_IMAGE].map(async (name) =>
        Number(await docker('image', 'inspect', '--format', '{{.Size}}', name)),
      ),
    );
    console.log(`      ${((image - base) / 1e6).toFixed(1)} MB above ${BASE_IMAGE}`);
    expect(image - base).to.be.within(1, MORE_THAN_ITS_BASE_LIMIT_BYTES);
    const find = ['--entrypoint', 'find', '--user', 'root', IMAGE, '/', '-xdev', '-type', 'f'];
    expect(await docker('run', '--rm', '--network', 'none', ...find, '-perm', '/6000')).to.equal(
      '',
    );
  });

  it('refuses a second node of the same name, and the first one goes on', async () => {
    const cluster = await sharedCluster();
    const before = await cluster.serverStatus();
    const begunMs = performance.now();
    const second = cluster.compose(
      'run',
      '--rm',
      '-T',
      '--no-deps',
      '-e',
      'COOPFS_NODE=n1',
      'cacher',
    );
    const refusal = await second.then(
      () => 'it was taken',
      (error: unknown) => String(error),
    );
    console.log(`      until it was refused: ${(performance.now() - begunMs).toFixed(0)} ms`);
    expect(refusal).to.match(/a cacher named n1 is alive at [\d.:]+: choose another name/);
    expect((await cluster.settled()).members).to.deep.equal(before.members);
  });

  it('takes the key of a secret instead of making one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'coopfs-secret-'));
    const keyFile = join(folder, 'my.key');
    writeFileSync(keyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    const cluster = new ComposeCluster('secret', ['compose/secret.yaml'], {
      COOPFS_SECRET: keyFile,
    });
    try {
      const begunMs = performance.now();
      await cluster.compose('up', '--detach', 'server');
      const status = await cluster.until('the server takes who has that key', async () => {
        await using fs = await connect({ server: cluster.server, keyFile });
        return await fs.status();
      });
      console.log(`      until it served: ${(performance.now() - begunMs).toFixed(0)} ms`);
      expect(status).to.have.property('epoch');
    } finally {
      await cluster.remove();
      rmSync(folder, { recursive: true });
    }
  });
});
