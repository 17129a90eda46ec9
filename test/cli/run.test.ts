import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { CommandRecord } from '../../cli/command_record.ts';
import { parseRequestSet, type Command } from '../../cli/request_set.ts';
import { PROGRAM } from '../../cli/daemon_process.ts';
import { runSets } from '../../cli/run_sets.ts';
import { coopfs } from './coopfs.ts';
import { FakeCacher } from './fake_cacher.ts';

const commandsOf = (text: string): readonly Command[] => {
  const set = parseRequestSet(text, 'set');
  if (!set.ok) throw new Error(set.errors.join());
  return set.commands;
};

describe('coopfs run', function () {
  this.timeout(60_000);
  let folder = '';
  let honest: FakeCacher;
  let denying: FakeCacher;
  const at = (name: string): string => join(folder, name);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
    honest = new FakeCacher();
    denying = new FakeCacher(true);
    await honest.listen(at('honest.sock'));
    await denying.listen(at('denying.sock'));
    writeFileSync(at('set'), 'open 7 1\nwrite 7 hello\nclose 7\nopen 7 0\nread 7 5\nclose 7\n');
  });

  after(() => {
    honest.close();
    denying.close();
    rmSync(folder, { recursive: true });
  });

  it('prints one object a line for each command, and nothing else on standard output', async () => {
    const { status, out, err } = await coopfs([
      'run',
      '--json',
      '--check',
      '--socket',
      at('honest.sock'),
      at('set'),
    ]);
    expect(err).to.equal('linearizable: yes (2 operations on 1 file)\n');
    expect(status).to.equal(0);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ command, index }) => [index, command])).to.deep.equal([
      [0, 'open'],
      [1, 'write'],
      [2, 'close'],
      [3, 'open'],
      [4, 'read'],
      [5, 'close'],
    ]);
    const read = { node: 'n1', file: 7, bytes: 5, data: 'hello', ok: true, servedFrom: 'peer' };
    expect(lines[4]).to.include(read);
    expect(BigInt(String(lines[4]?.['endNs'])) > BigInt(String(lines[1]?.['endNs']))).to.equal(
      true,
    );
  });

  it('is readable for people, with a table and where reads were served from', async () => {
    const { status, out } = await coopfs(['run', '--socket', at('honest.sock'), at('set')]);
    expect(status).to.equal(0);
    expect(out).to.match(/^ {2}n1 +write 7 .* "hello" in 2 memories$/m);
    expect(out).to.match(/^read +1 +\S+ ms +\S+ ms$/m);
    expect(out).to.match(/peer memory 1.*\n6 commands, 0 failed\n$/);
  });

  it('ends with status 1 when a command does not do what it should', async () => {
    const stdin = 'open 8 0\nread 8 3\nexpect abc\nclose 9\nexpect-error EBADF\n';
    const { status, out } = await coopfs(['run', '--socket', at('honest.sock'), '/dev/stdin'], {
      stdin,
    });
    expect(status).to.equal(1);
    expect(out).to.match(/^! n1 +read 8 .*expected "abc"$/m);
    expect(out).to.match(/^ {2}n1 +close 9 .*\(expected\) EBADF/m);
  });

  it('ends with status 3 when the history is not linearizable, and shows why', async () => {
    const { status, out } = await coopfs([
      'run',
      '--check',
      '--socket',
      at('denying.sock'),
      at('set'),
    ]);
    expect(status).to.equal(3);
    expect(out).to.match(/^linearizable: no \(file 7\)(.*\n)+.*n1: write file 7 at 0: "hello"/m);
  });

  it('lets sets in several processes wait for one another at barriers', async () => {
    const target = { socket: at('honest.sock') };
    const records: CommandRecord[] = [];
    const { failures } = await runSets(
      [
        { node: 'a', target, commands: commandsOf('open 3 1\nwrite 3 abc\nbarrier b\nclose 3') },
        { node: 'b', target, commands: commandsOf('barrier b\nopen 3 0\nread 3 3\nexpect abc') },
        { node: 'c', target, commands: commandsOf('barrier alone\nbarrier a') },
      ],
      (record) => records.push(record),
    );
    expect(failures).to.deep.equal([]);
    expect(records).to.have.length(9);
    expect(records.filter(({ ok }) => !ok)).to.deep.equal([]);
  });

  it('does not hang at a barrier when one of the sets cannot run', async () => {
    const { records, failures } = await runSets(
      [
        { node: 'a', target: { socket: at('honest.sock') }, commands: commandsOf('barrier b') },
        { node: 'b', target: { socket: at('nobody.sock') }, commands: commandsOf('barrier b') },
      ],
      () => undefined,
    );
    expect(failures).to.have.length(1);
    expect(failures[0]).to.match(/^b: .*nobody\.sock/);
    expect(records.map(({ command, ok }) => [command, ok])).to.deep.equal([['barrier', true]]);
  });

  it('names an application elsewhere that cannot be started, or says what is no message', async () => {
    const target = { fromEnvironment: true } as const;
    const { failures } = await runSets(
      [
        { node: 'a', target, commands: [], launch: ['/nonexistent/program'] },
        { node: 'b', target, commands: [], launch: ['echo', 'no such service'] },
      ],
      () => undefined,
    );
    expect(failures).to.have.length(2);
    expect(failures.join()).to.match(/\ba: its application cannot be started/);
    expect(failures.join()).to.match(/\bb: .*"no such service"/);
  });

  it('finds the daemon by the environment where the run leaves it open', async () => {
    const there = ['env', `COOPFS_SOCKET=${at('honest.sock')}`, process.execPath];
    const launch = [...there, ...process.execArgv, PROGRAM, 'application'];
    const { records, failures } = await runSets(
      [{ node: 'a', target: { fromEnvironment: true }, commands: commandsOf('open 3 0'), launch }],
      () => undefined,
    );
    expect(failures).to.deep.equal([]);
    expect(records.map(({ command, ok }) => [command, ok])).to.deep.equal([['open', true]]);
  });

  it('ends the applications where they are when it is interrupted', async () => {
    const controller = new AbortController();
    const { failures } = await runSets(
      [
        {
          node: 'a',
          target: { socket: at('honest.sock') },
          commands: commandsOf('open 4 0\nsleep 3000000'),
        },
      ],
      () => {
        controller.abort();
      },
      controller.signal,
    );
    expect(failures).to.deep.equal(['a: its application ended early (SIGKILL)']);
  });
});
