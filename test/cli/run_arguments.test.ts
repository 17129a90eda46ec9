import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { EXIT, UsageError } from '../../cli/exit_status.ts';
import { outcomeLine, statusOfRun } from '../../cli/run.ts';
import { parseAssignments, placeOf, planRun, type Place } from '../../cli/run_arguments.ts';
import { messageOf } from '../../protocol/errors.ts';
import { recordOf } from './records.ts';

describe('placeOf', () => {
  const all = () => true;
  const none = () => false;
  const nowhere = { dir: undefined, direct: undefined, socket: undefined };

  it('needs exactly one place', () => {
    expect(placeOf({ ...nowhere, dir: 'd' }, all, undefined)).to.deep.equal({
      kind: 'dir',
      dir: 'd',
    });
    expect(() => placeOf(nowhere, none, undefined)).to.throw(UsageError, 'COOPFS_SOCKET');
    expect(() => placeOf({ ...nowhere, dir: 'd', socket: 's' }, all, undefined)).to.throw(
      UsageError,
      'use one',
    );
  });

  it('lets a typed place go before those of the environment, and a socket before a server', () => {
    const direct = { host: 'h', port: 1 };
    const isDirect = (name: string): boolean => name === 'direct';
    const key = { keyFile: 'k' };
    expect(placeOf({ ...nowhere, direct, socket: 's' }, isDirect, key).kind).to.equal('direct');
    expect(placeOf({ ...nowhere, direct, socket: 's' }, none, key).kind).to.equal('socket');
    const isDir = (name: string): boolean => name === 'dir';
    expect(placeOf({ ...nowhere, dir: 'd', socket: 's' }, isDir, undefined)).to.include({
      kind: 'dir',
    });
    expect(placeOf({ ...nowhere, socket: 's' }, none, undefined)).to.deep.equal({
      kind: 'socket',
      socket: 's',
    });
  });

  it('needs a key for the file server itself, and says how to make one', () => {
    const options = { ...nowhere, direct: { host: 'h', port: 1 } };
    expect(() => placeOf(options, none, undefined)).to.throw(UsageError, 'coopfs key --out');
    const key = { keyFile: 'k' };
    expect(placeOf(options, none, key)).to.deep.include({ kind: 'direct', key });
  });
});

describe('parseAssignments', () => {
  it('takes a set apart from its node at the first "="', () => {
    expect(parseAssignments(['n1=a=b.txt'])).to.deep.equal([{ node: 'n1', set: 'a=b.txt' }]);
  });

  it('refuses what is no assignment, and a node named twice', () => {
    for (const wrong of ['a.txt', '=a', 'n1=', 'n 1=a']) {
      expect(() => parseAssignments([wrong]), wrong).to.throw(UsageError, 'expected NODE=SET');
    }
    expect(() => parseAssignments(['n1=a', 'n1=b'])).to.throw(UsageError, 'n1 has two');
  });
});

describe('planRun', () => {
  let folder = '';
  const key = { keyFile: 'cluster.key' };
  const direct = { kind: 'direct', server: { host: '127.0.0.1', port: 7000 }, key } as const;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'coopfs-test-'));
    writeFileSync(join(folder, 'good'), 'open 7 0\n');
    writeFileSync(join(folder, 'bad'), 'open 7\nfly 9\n');
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('connects every set to the place', async () => {
    const args = [`a=${join(folder, 'good')}`, `b=${join(folder, 'good')}`];
    const { sets } = await planRun(direct, args);
    expect(sets.map(({ node, target, commands }) => [node, target, commands.length])).to.deep.equal(
      [
        ['a', { server: '127.0.0.1:7000', keyFile: 'cluster.key' }, 1],
        ['b', { server: '127.0.0.1:7000', keyFile: 'cluster.key' }, 1],
      ],
    );
  });

  const refusalOf = async (place: Place, ...args: string[]): Promise<string> => {
    try {
      await planRun(place, args);
    } catch (error) {
      expect(error).to.be.instanceOf(UsageError);
      return messageOf(error);
    }
    throw new Error('it was not refused');
  };

  it('tells every malformed line of every set before anything runs', async () => {
    const sets = ['good', 'bad'].map((name) => `${name}=${join(folder, name)}`);
    expect(await refusalOf(direct, ...sets)).to.match(/bad:1: .*\n.*bad:2: /);
  });

  it('refuses bytes that are no UTF-8, which it would change otherwise', async () => {
    const path = join(folder, 'latin');
    writeFileSync(path, Buffer.from('open 7 1\nwrite 7 \xe9\n', 'latin1'));
    expect(await refusalOf(direct, `a=${path}`)).to.match(/latin:2: .*not UTF-8.*\\xNN/);
    writeFileSync(path, '\uFEFFopen 7 1\nwrite 7 é\n');
    expect((await planRun(direct, [`a=${path}`])).sets[0]?.commands.length).to.equal(2);
  });

  it('tells a set that cannot be read, and one that can be read but once', async () => {
    expect(await refusalOf(direct, 'a=/nowhere/x')).to.include('/nowhere/x');
    expect(await refusalOf(direct, 'a=/dev/stdin', 'b=/dev/stdin')).to.include('once');
  });

  it('tells a second set at one socket, a cluster that is not there, and nothing to run', async () => {
    expect(await refusalOf({ kind: 'socket', socket: 's' }, 'a', 'b')).to.include('"b"');
    expect(await refusalOf({ kind: 'dir', dir: folder }, 'n1=a')).to.include('no cluster');
    expect(await refusalOf(direct)).to.include('no request set');
  });
});

describe('statusOfRun', () => {
  const good = { records: [recordOf()], failures: [] };
  const bad = { records: [recordOf({ ok: false })], failures: [] };
  const broken = { records: [], failures: ['n1: gone'] };

  it('is 0 only if all went well and the check passed', () => {
    expect(statusOfRun(good, EXIT.ok)).to.equal(0);
    expect(statusOfRun(good, EXIT.failed)).to.equal(1);
    expect(statusOfRun(bad, EXIT.ok)).to.equal(1);
    expect(statusOfRun(broken, EXIT.ok)).to.equal(1);
    expect(statusOfRun(good, EXIT.notLinearizable)).to.equal(3);
    expect(statusOfRun(bad, EXIT.notLinearizable)).to.equal(3);
  });

  it('comes with a line', () => {
    expect(outcomeLine(bad)).to.equal('1 command, 1 failed');
    expect(outcomeLine(broken)).to.equal('0 commands, 0 failed, 1 set ended early');
  });
});
