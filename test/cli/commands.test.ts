import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { coopfs } from './coopfs.ts';

describe('the coopfs command', function () {
  this.timeout(60_000);
  let folder = '';
  const at = (name: string): string => join(folder, name);

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('prints help with examples, for itself and for each subcommand', async () => {
    const { status, out } = await coopfs(['--help']);
    expect(status).to.equal(0);
    const names = [
      'format',
      'fsck',
      'server',
      'cacher',
      'cluster',
      'run',
      'where',
      'status',
      'demo',
      'key',
    ];
    for (const name of names) expect(out).to.match(new RegExp(`^ {2}${name}\\b`, 'm'));
    expect(out).to.not.match(/^ {2}application/m);
    const helps = await Promise.all([
      coopfs(['run', '--help']),
      coopfs(['cluster', 'up', '--help']),
    ]);
    for (const help of helps) {
      expect(help.status).to.equal(0);
      expect(help.out).to.match(/Examples:\n {2}coopfs /);
    }
  });

  it('ends with status 2 and one clear line on a usage error, and does nothing', async () => {
    const disk = at('never.img');
    const cases: [string[], RegExp][] = [
      [[], /Usage: coopfs/],
      [['fly'], /unknown command 'fly'/],
      [['format', '--dsk', disk], /unknown option '--dsk'/],
      [['format', '--disk', disk, '--files', '-3'], /--files "-3" is not right: expected a whole/],
      [['format', '--disk', disk, '--fill', 'ab'], /--fill "ab".*one printable/],
      [
        ['format', '--disk', disk, '--block-size', '131072', '--blocks-per-file', '65536'],
        /size of a file/,
      ],
      [['server', '--disk', disk, '--listen', 'nowhere'], /--listen "nowhere".*HOST:PORT/],
      [['cacher', '--node', 'server'], /--node "server" is not right/],
      [['cluster', 'status', '--dir', folder], /no cluster in .*cluster up/],
      [['run', 'n1=a'], /expected --dir DIR, --direct HOST:PORT, --socket PATH/],
      [['run', '--compose', '--dir', folder, 'n1=a'], /--dir and --compose exclude one another/],
      [['where', 'seven', '--dir', folder], /file "seven".*expected a file number/],
    ];
    const ends = await Promise.all(cases.map(([args]) => coopfs(args)));
    for (const [index, { status, out, err }] of ends.entries()) {
      const [args, message] = cases[index]!;
      expect(status, args.join(' ')).to.equal(2);
      expect(err, args.join(' ')).to.match(message);
      expect(out).to.equal('');
    }
    expect(existsSync(disk)).to.equal(false);
  });

  it('formats a disk, refuses to overwrite it without --force, and checks it', async () => {
    const disk = at('disk.img');
    const format = ['format', '--disk', disk, '--files', '16'];
    const made = await coopfs(format);
    expect(made).to.include({ status: 0, err: '' });
    expect(made.out).to.equal(`${disk}: 16 files of 1024 bytes (8 blocks of 128 bytes each)\n`);
    const refused = await coopfs(format);
    expect(refused.status).to.equal(1);
    expect(refused.err).to.match(/^coopfs format: .*--force\n$/);
    expect(await coopfs([...format, '--force'])).to.include({ status: 0 });
    const checked = await coopfs(['fsck'], { env: { COOPFS_DISK: disk } });
    expect(checked.status).to.equal(0);
    expect(checked.out).to.match(/^geometry {3}16 files of 1024 bytes.*\n(.*\n)+.*is sound/);
  });

  it('tells a disk that is damaged, missing, or something else', async () => {
    const disk = at('hurt.img');
    await coopfs(['format', '--disk', disk, '--files', '4']);
    const bytes = readFileSync(disk);
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) ^ 1;
    writeFileSync(disk, bytes);
    const hurt = await coopfs(['fsck', '--disk', disk]);
    expect(hurt.status).to.equal(1);
    expect(hurt.out).to.match(/^! file 3, block 7, at byte \d+: .*\n.*is damaged: 1 problem/m);

    const missing = await coopfs(['fsck', '--disk', at('nothing.img')]);
    expect(missing.status).to.equal(1);
    expect(missing.err).to.match(/^coopfs fsck: .*nothing\.img.*\n$/);

    writeFileSync(at('text.img'), 'not an image');
    const foreign = await coopfs(['fsck', '--disk', at('text.img'), '--json']);
    expect(foreign.status).to.equal(1);
    const report = JSON.parse(foreign.out) as { findings: unknown[] };
    expect(report.findings).to.not.have.length(0);
  });

  it('executes nothing when any line of any set is malformed', async () => {
    const set = 'open 7 0\nread 7\n';
    const { status, out, err } = await coopfs(
      ['run', '--direct', '127.0.0.1:9', '--insecure', 'n1=/dev/stdin'],
      { stdin: set },
    );
    expect(status).to.equal(2);
    expect(out).to.equal('');
    expect(err).to.match(/\/dev\/stdin:2: .*expected read <filenum> <num of bytes>/);
  });

  it('fails clearly when nobody is at the socket', async () => {
    const { status, err } = await coopfs(['run', '/dev/stdin'], {
      env: { COOPFS_SOCKET: at('nobody.sock') },
      stdin: 'open 7 0\n',
    });
    expect(status).to.equal(1);
    expect(err).to.match(/nobody\.sock/);
  });

  it('refuses a cluster whose sockets would have too long a path', async () => {
    const dir = at('x'.repeat(100));
    const { status, err } = await coopfs(['cluster', 'up', '--dir', dir]);
    expect(status).to.equal(2);
    expect(err).to.match(/at most 107: choose a folder with a shorter path/);
    expect(existsSync(dir)).to.equal(false);
  });
});
