import { appendFileSync, chmodSync, existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Command } from 'commander';
import { pino } from 'pino';
import { keySourceOf, securityOf, warnOfKey, type KeySource } from '../../cli/cluster_key.ts';
import { UsageError } from '../../cli/exit_status.ts';
import { declareOptions, resolveOptions } from '../../cli/options.ts';
import { readKeyFile } from '../../rudp/key_file.ts';
import { coopfs } from './coopfs.ts';

const NAMES = ['keyFile', 'insecure'] as const;

const sourceOf = (args: string[], fromEnvironment = ''): KeySource | undefined => {
  const command = declareOptions(new Command('test').exitOverride(), NAMES);
  command.parse(args, { from: 'user' });
  if (fromEnvironment !== '') command.setOptionValueWithSource('keyFile', fromEnvironment, 'env');
  return keySourceOf(command, resolveOptions(command, NAMES));
};

const warningsOf = (source: KeySource): string => {
  const lines: string[] = [];
  warnOfKey(source, pino({ name: 'test' }, { write: (line: string) => lines.push(line) }));
  return lines.join('');
};

describe('the key of a cluster', function () {
  this.timeout(120_000);
  let folder = '';
  const at = (name: string): string => join(folder, name);

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('comes from a file, or is left out by name; what is typed goes before the environment', () => {
    expect(sourceOf([])).to.equal(undefined);
    expect(sourceOf(['--key-file', 'k'])).to.deep.equal({ keyFile: 'k' });
    expect(sourceOf(['--insecure'])).to.deep.equal({ insecure: true });
    expect(sourceOf([], 'e')).to.deep.equal({ keyFile: 'e' });
    expect(sourceOf(['--insecure'], 'e')).to.deep.equal({ insecure: true });
    expect(() => sourceOf(['--insecure', '--key-file', 'k'])).to.throw(UsageError, 'use one');
  });

  it('is made by "coopfs key", readable by its owner alone, and never overwritten', async () => {
    const made = await coopfs(['key', '--out', at('new.key')]);
    expect(made.status).to.equal(0);
    expect(statSync(at('new.key')).mode & 0o777).to.equal(0o600);
    const [key] = readKeyFile(at('new.key'));
    const again = await coopfs(['key', '--out', at('new.key')]);
    expect(again.err).to.include('EEXIST');
    expect(again.status).to.equal(2);
    appendFileSync(at('new.key'), (await coopfs(['key'])).out);
    const both = readKeyFile(at('new.key'));
    expect(both[0]).to.eql(key);
    expect(both.length).to.equal(2);
    expect(both[1]).not.to.eql(key);
  });

  it('that is missing or malformed is refused in words, without showing it', () => {
    expect(() => securityOf({ keyFile: at('none') })).to.throw(UsageError, 'ENOENT');
    writeFileSync(at('bad.key'), '# a comment\n\nsecret\n');
    const read = () => securityOf({ keyFile: at('bad.key') });
    expect(read).to.throw(UsageError, 'line 3 is no key');
    expect(read).to.not.throw('secret');
  });

  it('is warned of if there is none, or if others can read it', () => {
    writeFileSync(at('open.key'), `${'0a'.repeat(32)}\n`);
    chmodSync(at('open.key'), 0o640);
    expect(warningsOf({ keyFile: at('open.key') })).to.include('chmod 600');
    chmodSync(at('open.key'), 0o600);
    expect(warningsOf({ keyFile: at('open.key') })).to.equal('');
    expect(warningsOf({ insecure: true })).to.include('for benchmarks only');
  });

  it('is made by "cluster up" in the folder, and is the same at the next start', async () => {
    const dir = at('c');
    const up = (...flags: string[]) =>
      coopfs(['cluster', 'up', '--dir', dir, '--cachers', '0', ...flags]);
    expect(await up()).to.include({ status: 0, err: '' });
    const key = readFileSync(join(dir, 'cluster.key'), 'utf8');
    expect(statSync(join(dir, 'cluster.key')).mode & 0o777).to.equal(0o600);
    await coopfs(['cluster', 'down', '--dir', dir]);
    expect((await up('--insecure')).err).to.include('was made with another key');
    expect((await up('--key-file', at('new.key'))).err).to.include('was made with another key');
    expect(await up('--key-file', join(dir, 'cluster.key'))).to.include({ status: 0, err: '' });
    await coopfs(['cluster', 'down', '--dir', dir]);
    expect(readFileSync(join(dir, 'cluster.key'), 'utf8')).to.equal(key);
  });

  it('can be left out of a cluster, whose daemons say so in their logs at every start', async () => {
    const dir = at('i');
    const up = await coopfs(['cluster', 'up', '--dir', dir, '--cachers', '1', '--insecure']);
    expect(up).to.include({ status: 0, err: '' });
    expect(up.out).to.include('nothing is encrypted');
    expect(existsSync(join(dir, 'cluster.key'))).to.equal(false);
    expect(await coopfs(['cluster', 'status', '--dir', dir])).to.include({ status: 0 });
    await coopfs(['cluster', 'down', '--dir', dir]);
    await coopfs(['cluster', 'up', '--dir', dir]);
    await coopfs(['cluster', 'down', '--dir', dir]);
    for (const name of ['server', 'n1']) {
      const log = readFileSync(join(dir, 'log', `${name}.log`), 'utf8');
      expect(log.match(/--insecure: nothing is encrypted/g)?.length, name).to.equal(2);
    }
  });
});
