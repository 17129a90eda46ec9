import { expect } from 'chai';
import type { CommandRecord } from '../../cli/command_record.ts';
import { parseRequestSet } from '../../cli/request_set.ts';
import { runSet, type Files } from '../../cli/set_runner.ts';
import { FsError } from '../../protocol/errors.ts';

const encoder = new TextEncoder();

/** Files in the memory of the test, without an end. */
class MemoryFiles implements Files {
  readonly #contents = new Map<number, Uint8Array>();
  readonly #offsets = new Map<number, number>();

  open(file: number, mode: number): Promise<void> {
    if (mode > 1) return Promise.reject(new FsError('EINVAL', `the mode is ${mode}`));
    this.#offsets.set(file, 0);
    return Promise.resolve();
  }

  read(file: number, length: number) {
    const at = this.#advance(file, length);
    const bytes = (this.#contents.get(file) ?? new Uint8Array()).slice(at, at + length);
    return Promise.resolve({ bytes, source: 'local' as const });
  }

  write(file: number, bytes: Uint8Array) {
    const at = this.#advance(file, bytes.length);
    const grown = new Uint8Array(at + bytes.length);
    grown.set(this.#contents.get(file) ?? new Uint8Array());
    grown.set(bytes, at);
    this.#contents.set(file, grown);
    return Promise.resolve({ count: bytes.length, copies: 2 });
  }

  close(file: number): Promise<void> {
    return this.#offsets.delete(file)
      ? Promise.resolve()
      : Promise.reject(new FsError('EBADF', `file ${file} is not open`));
  }

  #advance(file: number, length: number): number {
    const at = this.#offsets.get(file) ?? 0;
    this.#offsets.set(file, at + length);
    return at;
  }
}

const run = async (
  text: string,
  differences: { files?: Files; meets?: boolean } = {},
): Promise<CommandRecord[]> => {
  const set = parseRequestSet(text, 'set');
  if (!set.ok) throw new Error(set.errors.join());
  const records: CommandRecord[] = [];
  let clock = 100n;
  const surroundings = {
    files: differences.files ?? new MemoryFiles(),
    nowNs: () => (clock += 5n),
    pause: () => Promise.resolve(),
    meet: () => Promise.resolve(differences.meets ?? true),
  };
  await runSet('n1', set.commands, surroundings, (record) => records.push(record));
  return records;
};

describe('runSet', () => {
  it('records each command with its arguments, result and times', async () => {
    const records = await run('open 7 1\nwrite 7 hello\nsleep 3\nbarrier b\nclose 7');
    expect(records.map(({ command, index, ok }) => [command, index, ok])).to.deep.equal([
      ['open', 0, true],
      ['write', 1, true],
      ['sleep', 2, true],
      ['barrier', 3, true],
      ['close', 4, true],
    ]);
    expect(records[0]).to.include({ file: 7, mode: 1, startNs: 105n, endNs: 110n });
    expect(records[1]).to.include({ bytes: 5, copies: 2, offset: 0 });
    expect(records[1]?.data).to.deep.equal(encoder.encode('hello'));
  });

  it('counts where each read and write was, from each open on', async () => {
    const records = await run(
      'open 7 1\nwrite 7 abc\nread 7 2\nwrite 7 de\nclose 7\nopen 7 0\nread 7 4',
    );
    const offsets = records.map(({ offset }) => offset);
    expect(offsets.filter((offset) => offset !== undefined)).to.deep.equal([0, 3, 3, 0]);
  });

  it('holds a read against what it was to bring', async () => {
    const [, , right] = await run('open 7 1\nwrite 7 abc\nread 7 0\nexpect ""');
    expect(right).to.include({ ok: true }).and.not.have.property('error');
    const [, wrong] = await run('open 7 1\nread 7 3\nexpect abc');
    expect(wrong).to.include({ ok: false, error: 'expected "abc"' });
  });

  it('takes the error that is expected, and no other, and no success', async () => {
    const [expected] = await run('open 7 5\nexpect-error EINVAL');
    expect(expected).to.include({ ok: true, error: 'EINVAL: the mode is 5', errorCode: 'EINVAL' });
    const [other] = await run('open 7 5\nexpect-error EBUSY');
    expect(other).to.include({ ok: false, error: 'expected EBUSY, met EINVAL: the mode is 5' });
    const [none] = await run('open 7 1\nexpect-error EBUSY');
    expect(none).to.include({ ok: false, error: 'expected EBUSY, but it succeeded' });
  });

  it('goes on after a command that failed', async () => {
    const records = await run('close 7\nopen 7 1');
    expect(records.map(({ ok }) => ok)).to.deep.equal([false, true]);
    expect(records[0]?.error).to.equal('EBADF: file 7 is not open');
  });

  it('keeps what a write tried whose outcome is not known', async () => {
    const files = new MemoryFiles();
    files.write = () => Promise.reject(new FsError('ECONNLOST', 'the cacher is gone'));
    const [, write] = await run('open 7 1\nwrite 7 abc', { files });
    expect(write).to.include({ ok: false, errorCode: 'ECONNLOST', offset: 0 });
    expect(write?.data).to.deep.equal(encoder.encode('abc'));
    expect(write).to.not.have.property('copies');
  });

  it('fails a barrier that can never be met', async () => {
    const [barrier] = await run('barrier b', { meets: false });
    expect(barrier).to.include({ ok: false, detail: 'b' });
    expect(barrier?.error).to.match(/every set waits at another/);
  });
});
