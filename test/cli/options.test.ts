import { Command } from 'commander';
import { expect } from 'chai';
import { UsageError } from '../../cli/exit_status.ts';
import { declareOptions, flagFor, resolveOptions, wasTyped } from '../../cli/options.ts';

const NAMES = ['disk', 'pages', 'json', 'fill', 'listen'] as const;

const parse = (args: string[], env: Record<string, string> = {}): Command => {
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    const command = declareOptions(new Command('test').exitOverride(), NAMES);
    return command.parse(args, { from: 'user' });
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[name];
    }
  }
};

const resolve = (args: string[], env: Record<string, string> = {}) =>
  resolveOptions(parse(args, env), NAMES, ['disk']);

describe('resolveOptions', () => {
  it('fills in defaults and leaves out what has none', () => {
    expect(resolve(['--disk', 'd'])).to.deep.equal({
      disk: 'd',
      pages: 32,
      json: false,
      fill: undefined,
      listen: undefined,
    });
  });

  it('takes a flag before the environment before the default', () => {
    const env = { COOPFS_PAGES: '7', COOPFS_DISK: 'from-env' };
    expect(resolve([], env)).to.include({ disk: 'from-env', pages: 7 });
    expect(resolve(['--pages', '9'], env)).to.include({ pages: 9 });
  });

  it('names the flag, the value and what would be right', () => {
    expect(() => resolve(['--disk', 'd', '--pages', 'many'])).to.throw(
      UsageError,
      /^--pages "many" is not right: expected a whole number from 1 to /,
    );
  });

  it('says so when the wrong value came from the environment', () => {
    expect(() => resolve(['--disk', 'd'], { COOPFS_LISTEN: 'here' })).to.throw(
      '--listen "here" (from COOPFS_LISTEN) is not right: expected HOST:PORT with a name or an IPv4 address, such as 127.0.0.1:7000',
    );
  });

  it('names what is missing, and the variable that could give it', () => {
    expect(() => resolve([])).to.throw('--disk <file> (or COOPFS_DISK) is missing');
  });

  it('knows what was typed from what was only set', () => {
    const command = parse(['--disk', 'd'], { COOPFS_PAGES: '7' });
    expect(wasTyped(command, 'disk')).to.equal(true);
    expect(wasTyped(command, 'pages')).to.equal(false);
  });
});

describe('flagFor', () => {
  it('writes an option as it is typed', () => {
    expect(flagFor('writebackInterval', '30s')).to.deep.equal(['--writeback-interval', '30s']);
  });
});
