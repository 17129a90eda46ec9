import { expect } from 'chai';
import {
  ERRORS_LIMIT,
  LINES_LIMIT,
  parseRequestSet,
  SLEEP_LIMIT_MS,
  type Command,
} from '../../cli/request_set.ts';

const commandsOf = (text: string): readonly Command[] => {
  const set = parseRequestSet(text, 'set');
  if (!set.ok) throw new Error(set.errors.join('\n'));
  return set.commands;
};

const errorsOf = (text: string): readonly string[] => {
  const set = parseRequestSet(text, 'set');
  return set.ok ? [] : set.errors;
};

/** The bytes of `write 1` with the given rest of its line. */
const written = (rest: string): string => {
  const [command] = commandsOf(`write 1 ${rest}`);
  return command?.name === 'write' ? Buffer.from(command.bytes).toString('latin1') : '';
};

describe('request sets', () => {
  it('hold the commands of the course, with their lines', () => {
    const [open, read, write, close, ...rest] = commandsOf(
      'open 7 1\n\n# a comment\nread 7 100\n  write 7 some text\nclose 7\n',
    );
    expect(open).to.include({ name: 'open', file: 7, mode: 1, line: 1, text: 'open 7 1' });
    expect(read).to.include({ name: 'read', file: 7, length: 100, line: 4 });
    expect(write).to.include({ name: 'write', file: 7, line: 5, text: '  write 7 some text' });
    expect(close).to.include({ name: 'close', file: 7, line: 6 });
    expect(rest).to.deep.equal([]);
  });

  it('may be empty, begin with a byte order mark, and end their lines as Windows does', () => {
    expect(commandsOf('')).to.deep.equal([]);
    const [open, close] = commandsOf('\uFEFFopen 1 0\r\nclose 1\r\n');
    expect(open).to.include({ name: 'open', mode: 0 });
    expect(close).to.include({ name: 'close', file: 1 });
  });

  it('take any integer for a mode, which the run will judge', () => {
    const modes = commandsOf('open 1 2\nopen 1 -1').map(
      (each) => each.name === 'open' && each.mode,
    );
    expect(modes).to.deep.equal([2, -1]);
  });

  it('write the rest of the line, spaces and # included, in UTF-8', () => {
    expect(written('a b  c ')).to.equal('a b  c ');
    expect(written('  two before')).to.equal('  two before');
    expect(written('is # no comment \\n')).to.equal('is # no comment \\n');
    expect(written('ä')).to.equal('\xc3\xa4');
    expect(written('say "so"')).to.equal('say "so"');
  });

  it('know escapes in double quotes, and comments after them', () => {
    expect(written('"a\\n\\t\\\\\\"\\x00\\xfFb ä" # done')).to.equal('a\n\t\\"\x00\xffb \xc3\xa4');
    expect(written('""')).to.equal('');
    expect(written('  "quoted"  ')).to.equal('quoted');
  });

  it('refuse quotes that do not close, unknown escapes, and text after the quote', () => {
    expect(errorsOf('write 1 "abc')[0]).to.include('set:1: the quote is not closed');
    expect(errorsOf('write 1 "a\\q"')[0]).to.include(': \\q is no escape, expected \\n \\t');
    expect(errorsOf('write 1 "a\\x4"')[0]).to.include(': \\x4 is no escape');
    expect(errorsOf('write 1 "a\\')[0]).to.include('is no escape');
    expect(errorsOf('write 1 "a" b')[0]).to.include('"b" follows the closing quote');
    expect(errorsOf('write 1 ')[0]).to.include('the string is missing');
    expect(errorsOf('write 1')[0]).to.include('the string is missing');
  });

  it('sleep up to the limit, and meet at barriers', () => {
    const [sleep, barrier] = commandsOf(`sleep ${SLEEP_LIMIT_MS} # long\nbarrier all.written-1`);
    expect(sleep).to.include({ name: 'sleep', ms: SLEEP_LIMIT_MS });
    expect(barrier).to.include({ name: 'barrier', barrier: 'all.written-1' });
    expect(errorsOf(`sleep ${SLEEP_LIMIT_MS + 1}`)[0]).to.include(`at most ${SLEEP_LIMIT_MS} ms`);
    expect(errorsOf(`barrier ${'x'.repeat(64)}`)).to.deep.equal([]);
    expect(errorsOf(`barrier ${'x'.repeat(65)}`)[0]).to.include('1 to 64 of');
    expect(errorsOf('barrier')[0]).to.include('the name is missing');
  });

  it('say with the command what is expected of it', () => {
    const [read, write] = commandsOf(
      'read 1 3\nexpect a b\nwrite 1 x\n# so\nexpect-error EBADF # yes',
    );
    expect(read?.expectation).to.deep.equal({
      kind: 'bytes',
      bytes: new TextEncoder().encode('a b'),
      line: 2,
    });
    expect(write?.expectation).to.deep.equal({ kind: 'error', code: 'EBADF', line: 5 });
  });

  it('refuse expectations about nothing, about the wrong command, and twice', () => {
    expect(errorsOf('expect a')[0]).to.include('"expect" comes after no command');
    expect(errorsOf('write 1 x\nexpect a')[0]).to.include(
      'set:2: "expect" comes after "write 1 x"',
    );
    expect(errorsOf('sleep 1\nexpect-error EIO')[0]).to.include(
      'open, read, write, close before it',
    );
    expect(errorsOf('read 1 1\nexpect a\nexpect b')[0]).to.include('line 2 already says');
    expect(errorsOf('read 1 1\nexpect-error EWHAT')[0]).to.include('the code is "EWHAT"');
    expect(errorsOf('read 1 1\nexpect')[0]).to.include('the string is missing');
  });

  it('tell all malformed lines at once, each with file, line, what is wrong and what is right', () => {
    const text =
      'open x 1\nread 1 -5\nexpect fine\nclose 1 2\nfly 7\nexpect-error EIO\nopen 1\nread 1 1.5\nclose 1';
    expect(errorsOf(text)).to.deep.equal([
      'set:1: the file number is "x", expected a whole number of 0 to 2^53 - 1 in "open <filenum> <mode>"',
      'set:2: the number of bytes is "-5", expected a whole number of 0 to 2^53 - 1 in "read <filenum> <num of bytes>"',
      'set:4: "2" is too much, expected close <filenum>',
      'set:5: "fly" is not a command, expected one of open, read, write, close, sleep, barrier, expect, expect-error',
      'set:7: the mode is missing, expected open <filenum> <mode>',
      'set:8: the number of bytes is "1.5", expected a whole number of 0 to 2^53 - 1 in "read <filenum> <num of bytes>"',
    ]);
  });

  it('do not blame an expectation for the malformed line before it', () => {
    expect(errorsOf('read 1 1\nexpect a\nfly 7\nexpect b').length).to.equal(1);
    expect(errorsOf('read 1 1\nexpect a\nread 1 x\nexpect b').length).to.equal(1);
  });

  it('take numbers up to 2^53 - 1', () => {
    expect(errorsOf('read 1 9007199254740991')).to.deep.equal([]);
    expect(errorsOf('read 1 9007199254740992').length).to.equal(1);
  });

  it('tell no more malformed lines than the limit, and how many more there are', () => {
    expect(errorsOf('x\n'.repeat(ERRORS_LIMIT)).length).to.equal(ERRORS_LIMIT);
    const errors = errorsOf('x\n'.repeat(ERRORS_LIMIT + 2));
    expect(errors.length).to.equal(ERRORS_LIMIT + 1);
    expect(errors.at(-1)).to.equal('set: and 2 more malformed lines');
  });

  it('have as many lines as the limit, not one more', () => {
    expect(errorsOf('\n'.repeat(LINES_LIMIT))).to.deep.equal([]);
    expect(errorsOf('\n'.repeat(LINES_LIMIT + 1))[0]).to.include(`at most ${LINES_LIMIT}`);
  });
});
