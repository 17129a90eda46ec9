import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePorts } from '../../cli/free_ports.ts';
import { coopfs, type Ended } from './coopfs.ts';

const HOST = '127.0.0.1';

describe('server and cacher', function () {
  this.timeout(120_000);
  let folder = '';
  let port = 0;
  const at = (name: string): string => join(folder, name);
  const server = (...args: string[]): Promise<Ended> =>
    coopfs(['server', '--listen', `${HOST}:0`, '--key-file', at('cluster.key'), ...args]);
  const cacher = (...args: string[]): Promise<Ended> =>
    coopfs([
      'cacher',
      ...['--server', `${HOST}:${port}`, '--listen', `${HOST}:0`],
      ...['--key-file', at('cluster.key'), ...args],
    ]);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
    [port = 0] = await freePorts(HOST, 1);
    const ports = ['--base-port', String(port)];
    const up = await coopfs(['cluster', 'up', '--dir', folder, '--cachers', '1', ...ports]);
    expect(up).to.include({ status: 0, err: '' });
  });

  after(async () => {
    const down = await coopfs(['cluster', 'down', '--dir', folder]);
    rmSync(folder, { recursive: true });
    expect(down).to.include({ status: 0, err: '' });
  });

  /** One line on standard error that says `message`, and status 1. */
  const expectRefusal = ({ status, err }: Ended, message: RegExp): void => {
    expect(err).to.match(message);
    expect(err.trimEnd()).to.not.include('\n');
    expect(status).to.equal(1);
  };

  const expectAllUp = async (): Promise<void> => {
    expect(await coopfs(['cluster', 'status', '--dir', folder])).to.include({ status: 0 });
  };

  it('refuse a disk that is missing, in use, truncated, or of another program', async () => {
    expectRefusal(await server('--disk', at('none.img')), /none\.img/);
    expectRefusal(await server('--disk', at('disk.img')), /in use by process \d+/);
    writeFileSync(at('text.img'), 'x'.repeat(100_000));
    expectRefusal(await server('--disk', at('text.img')), /^coopfs server: /);
    writeFileSync(at('empty.img'), '');
    expectRefusal(await server('--disk', at('empty.img')), /^coopfs server: /);
    await expectAllUp();
  });

  it('refuse to start without a key, and say how to make one', async () => {
    const disk = ['--disk', at('none.img'), '--listen', `${HOST}:0`];
    const socket = ['--node', 'n9', '--socket', at('n9.sock')];
    const addresses = ['--server', `${HOST}:${port}`, '--listen', `${HOST}:0`];
    for (const args of [
      ['server', ...disk],
      ['cacher', ...addresses, ...socket],
    ]) {
      const { status, err } = await coopfs(args);
      expect(err).to.include('there is no cluster key').and.include('coopfs key --out cluster.key');
      expect(status).to.equal(2);
    }
    const both = await server('--disk', at('none.img'), '--insecure');
    expect(both.err).to.include('--key-file and --insecure exclude one another');
    writeFileSync(at('text.key'), 'open sesame\n');
    const wrong = await server('--disk', at('none.img'), '--key-file', at('text.key'));
    expect(wrong.err)
      .to.match(/text\.key, line 1 is no key/)
      .and.not.include('sesame');
    expect(wrong.status).to.equal(2);
  });

  it('refuse a port that is in use', async () => {
    await coopfs(['format', '--disk', at('other.img'), '--files', '4']);
    const second = await server('--disk', at('other.img'), '--listen', `${HOST}:${port}`);
    expectRefusal(second, new RegExp(`cannot listen at ${HOST}:${port}`));
    await expectAllUp();
  });

  it('refuse a second cacher of the same name while the first one lives', async () => {
    expectRefusal(await cacher('--node', 'n1', '--socket', at('second.sock')), /named n1 is alive/);
    await expectAllUp();
  });

  it('refuse the socket of a live cacher', async () => {
    const taken = await cacher('--node', 'n2', '--socket', join(folder, 'run', 'n1.sock'));
    expectRefusal(taken, /n1\.sock/);
    await expectAllUp();
  });

  it('take over a stale socket, and leave in order on SIGTERM', async () => {
    const stale = join(folder, 'run', 'n2.sock');
    // A process that is killed leaves its socket file behind.
    const script = `require('net').createServer().listen(${JSON.stringify(stale)}, () => console.log('up'))`;
    const killed = spawn(process.execPath, ['-e', script]);
    await once(killed.stdout, 'data');
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    expect(existsSync(stale)).to.equal(true);
    const added = await coopfs(['cluster', 'add', '--dir', folder]);
    expect(added).to.include({ status: 0, err: '' });
    await expectAllUp();
  });

  it('do not take a socket path from somebody who listens there', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(at('other.sock'), resolve));
    const refused = await cacher('--node', 'n3', '--socket', at('other.sock'));
    other.close();
    expectRefusal(refused, /other\.sock/);
  });
});
