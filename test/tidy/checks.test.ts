import { expect } from 'chai';
import { checkImports, checkName, checkPurity, checkSizes } from './checks.ts';

const NO_SHELLS: ReadonlySet<string> = new Set();

describe('checkImports', () => {
  const importing = (path: string, from: string) =>
    checkImports({ path, text: `import { a } from '${from}';\n` });

  it('lets a part import itself and what lies below it', () => {
    expect(importing('cacher/disk/a.ts', '../pages.ts')).to.deep.equal([]);
    expect(importing('cacher/a.ts', '../protocol/ids.ts')).to.deep.equal([]);
    expect(importing('cli/check/a.ts', '../../applib/index.ts')).to.deep.equal([]);
    expect(importing('test/cacher/a.test.ts', '../../fileserver/daemon.ts')).to.deep.equal([]);
    expect(importing('rudp/a.ts', 'dgram-as-promised')).to.deep.equal([]);
  });

  it('finds a part that imports one beside or above it', () => {
    const found = ['cacher/a.ts:1 imports fileserver/: cacher/ may not'];
    expect(importing('cacher/a.ts', '../fileserver/status.ts')).to.deep.equal(found);
    expect(importing('protocol/a.ts', '../rudp/varint.ts')).to.have.length(1);
    expect(importing('rudp/a.ts', '../protocol/ids.ts')).to.have.length(1);
    expect(importing('fileserver/disk/a.ts', '../../cli/log.ts')).to.have.length(1);
    expect(importing('applib/a.ts', '../cacher/pages.ts')).to.have.length(1);
    expect(importing('cli/a.ts', '../test/sim/prng.ts')).to.have.length(1);
  });

  it('finds types, exports and dynamic imports that go the wrong way', () => {
    const check = (text: string) => checkImports({ path: 'rudp/a.ts', text });
    expect(check("import type { A } from '../protocol/ids.ts';")).to.have.length(1);
    expect(check("export * from '../protocol/ids.ts';")).to.have.length(1);
    expect(check("const a = import('../protocol/ids.ts');")).to.have.length(1);
  });

  it('lets the codec alone import what is generated', () => {
    expect(importing('protocol/codec.ts', './coopfs.gen.js')).to.deep.equal([]);
    expect(importing('protocol/framing.ts', './coopfs.gen.js')).to.have.length(1);
    expect(importing('test/a.test.ts', '../protocol/coopfs.gen.js')).to.have.length(1);
  });
});

describe('checkPurity', () => {
  const check = (text: string, path = 'cacher/a.ts') => checkPurity({ path, text }, NO_SHELLS);

  it('finds whatever two runs could find different', () => {
    for (const text of [
      'const a = async () => 1;',
      'for await (const a of b) await a;',
      'let a: Promise<void>;',
      'const a = Date.now();',
      'const a = new Date();',
      'const a = Math.random();',
      'setTimeout(a, 1);',
      'const a = { at: performance.now() };',
      'if (process.env.A) a();',
      'const a = Buffer.alloc(1);',
      'const a = crypto.randomUUID();',
      'const a = globalThis;',
    ]) {
      expect(check(text), text).not.to.deep.equal([]);
    }
  });

  it('takes names of members and text for what they are', () => {
    expect(check('const a = b.process; const c = { Date: 1 };')).to.deep.equal([]);
    expect(check('interface A { readonly crypto: number }')).to.deep.equal([]);
    expect(check('// a Promise of a Date\nconst a = "setTimeout";')).to.deep.equal([]);
    expect(check('const a = Math.max(1, 2);')).to.deep.equal([]);
  });

  it('finds packages, modules of Node and shells that a core imports', () => {
    const shells = new Set(['cacher/daemon.ts']);
    const importing = (text: string) => checkPurity({ path: 'cacher/a.ts', text }, shells);
    expect(importing("import { a } from 'node:fs';")).to.have.length(1);
    expect(importing("import { a } from 'pino';")).to.have.length(1);
    expect(importing("import { a } from './daemon.ts';")).to.have.length(1);
    expect(importing("import type { A } from './daemon.ts';")).to.deep.equal([]);
    expect(importing("import { a } from './pages.ts';")).to.deep.equal([]);
  });

  it('leaves alone what says that it does I/O, and the parts without cores', () => {
    expect(check('/** I/O: a socket. */\nsetTimeout(a, 1);')).to.deep.equal([]);
    expect(check('/** Does I/O: a socket. */\nsetTimeout(a, 1);')).to.deep.equal([]);
    expect(check('/** A core.\n * I/O: no. */\nsetTimeout(a, 1);')).to.have.length(1);
    expect(check('setTimeout(a, 1);', 'cli/a.ts')).to.deep.equal([]);
  });
});

describe('checkSizes', () => {
  const lines = (count: number): string => 'a();\n'.repeat(count);
  const check = (text: string) => checkSizes({ path: 'cacher/a.ts', text });

  it('takes a file of 400 lines and none of 401', () => {
    expect(check(lines(400))).to.deep.equal([]);
    expect(check(lines(401))).to.deep.equal(['cacher/a.ts has 401 lines: at most 400']);
  });

  it('takes a function of 70 lines and none of 71, whatever its form', () => {
    for (const [begin, end] of [
      ['function f() {\n', '}\n'],
      ['const f = () => {\n', '};\n'],
      ['class A { f() {\n', '} }\n'],
      ["it('does', () => {\n", '});\n'],
    ] as const) {
      expect(check(begin + lines(68) + end), begin).to.deep.equal([]);
      expect(check(begin + lines(69) + end), begin).to.have.length(1);
    }
  });

  it('does not take a suite of tests for a function', () => {
    expect(check(`describe('a', () => {\n${lines(100)}});\n`)).to.deep.equal([]);
  });
});

describe('checkName', () => {
  it('finds names that say nothing, and names that are not in snake case', () => {
    for (const name of ['utils.ts', 'string_helpers.ts', 'common.ts', 'session_manager.ts']) {
      expect(checkName(`rudp/${name}`), name).to.have.length(1);
    }
    expect(checkName('rudp/ackRanges.ts')).to.have.length(1);
    expect(checkName('rudp/ack-ranges.test.ts')).to.have.length(1);
  });

  it('takes names of ideas', () => {
    expect(checkName('rudp/ack_ranges.ts')).to.deep.equal([]);
    expect(checkName('test/protocol/crc32c.test.ts')).to.deep.equal([]);
    expect(checkName('docs/ARCHITECTURE.md')).to.deep.equal([]);
    expect(checkName('cli/commonplace.ts')).to.deep.equal([]);
  });
});
