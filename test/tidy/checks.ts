/**
 * The style of the house as checks of one file: its path and text go in, what is wrong with it comes
 * out, a line each. Pure.
 */

import { posix } from 'node:path';
import ts from 'typescript';

const FILE_LINES_LIMIT = 400;
const FUNCTION_LINES_LIMIT = 70;

/** What each part may import besides itself; the parts that are not named may import anything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  rudp: [],
  applib: ['protocol', 'rudp'],
  cacher: ['protocol', 'rudp'],
  fileserver: ['protocol', 'rudp'],
  netem: ['protocol', 'rudp'],
  cli: ['applib', 'cacher', 'fileserver', 'netem', 'protocol', 'rudp'],
};

/** The parts whose files are cores unless their first line says otherwise. */
const CORE_PARTS = new Set(['rudp', 'protocol', 'cacher', 'fileserver', 'netem']);

/** Clocks, chance, timers, promises, and what only one runtime has. */
const IMPURE_NAMES = new Set([
  'Promise',
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process',
  'Buffer',
  'crypto',
  'fetch',
  'globalThis',
]);

const GENERATED_CODEC = 'coopfs.gen.js';
const FORBIDDEN_NAMES = /(^|[_.])(utils?|helpers?|common|misc|managers?)([_.]|$)/;

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const partOf = (path: string): string => path.split('/', 1)[0] ?? '';

/** A shell is a file that says in the first words of its first comment that it does I/O. */
const isShell = ({ text }: SourceFile): boolean => /^\/\*\*\s+(\* )?(Does )?I\/O\b/.test(text);

const parse = ({ path, text }: SourceFile): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);

const lineOf = (node: ts.Node): number => {
  const source = node.getSourceFile();
  return source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
};

const visit = (node: ts.Node, see: (node: ts.Node) => void): void => {
  see(node);
  node.forEachChild((child) => {
    visit(child, see);
  });
};

interface Import {
  readonly from: string;
  readonly line: number;
  readonly typeOnly: boolean;
}

const importsOf = (source: ts.SourceFile): Import[] => {
  const found: Import[] = [];
  visit(source, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier === undefined || !ts.isStringLiteral(node.moduleSpecifier)) return;
      const clause = ts.isImportDeclaration(node) ? node.importClause : node;
      const phase = clause !== undefined && 'phaseModifier' in clause ? clause.phaseModifier : 0;
      const typeOnly =
        phase === ts.SyntaxKind.TypeKeyword || (ts.isExportDeclaration(node) && node.isTypeOnly);
      found.push({ from: node.moduleSpecifier.text, line: lineOf(node), typeOnly });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [from] = node.arguments;
      const named = from !== undefined && ts.isStringLiteral(from) ? from.text : 'a computed name';
      found.push({ from: named, line: lineOf(node), typeOnly: false });
    }
  });
  return found;
};

/** Where a relative import leads, from the root of the repository. */
const target = (path: string, { from }: Import): string =>
  posix.normalize(posix.join(posix.dirname(path), from));

/** Imports point one way, and only the codec knows what protobufjs generated. */
export const checkImports = (file: SourceFile): string[] => {
  const allowed = MAY_IMPORT[partOf(file.path)];
  const wrong: string[] = [];
  for (const each of importsOf(parse(file))) {
    const place = `${file.path}:${each.line}`;
    if (each.from.endsWith(GENERATED_CODEC) && file.path !== 'protocol/codec.ts') {
      wrong.push(`${place} imports ${GENERATED_CODEC}: only protocol/codec.ts may`);
    }
    if (!each.from.startsWith('.') || allowed === undefined) continue;
    const part = partOf(target(file.path, each));
    if (part !== partOf(file.path) && !allowed.includes(part)) {
      wrong.push(`${place} imports ${part}/: ${partOf(file.path)}/ may not`);
    }
  }
  return wrong;
};

/** True where an identifier names a member or a key, and so has nothing to do with a global. */
const isMemberName = (node: ts.Identifier): boolean => {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent)) {
    return parent.name === node;
  }
  return ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent);
};

const impurityOf = (node: ts.Node): string | undefined => {
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return 'async';
  if (ts.isAwaitExpression(node)) return 'await';
  if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') return 'Math.random';
  if (!ts.isIdentifier(node) || !IMPURE_NAMES.has(node.text)) return undefined;
  return isMemberName(node) ? undefined : node.text;
};

/** True for a file that must be free of I/O, of time and of chance. */
export const isCore = (file: SourceFile): boolean =>
  CORE_PARTS.has(partOf(file.path)) && !isShell(file);

/**
 * A core uses nothing that two runs could find different, imports no package, and no shell either:
 * `shells` are the paths of all shells. An index.ts does nothing itself, it shows what there is.
 */
export const checkPurity = (file: SourceFile, shells: ReadonlySet<string>): string[] => {
  if (!isCore(file)) return [];
  const wrong: string[] = [];
  const source = parse(file);
  visit(source, (node) => {
    const impurity = impurityOf(node);
    if (impurity === undefined) return;
    wrong.push(`${file.path}:${lineOf(node)} uses ${impurity}, but is no shell`);
  });
  for (const each of importsOf(source)) {
    if (each.typeOnly || file.path.endsWith('/index.ts')) continue;
    const outside = !each.from.startsWith('.');
    if (!outside && !shells.has(target(file.path, each))) continue;
    wrong.push(`${file.path}:${each.line} imports ${each.from}, but is no shell`);
  }
  return wrong;
};

/** The callback of a `describe` is a list of tests, not a function that anybody follows. */
const isSuite = (node: ts.Node): boolean =>
  ts.isCallExpression(node.parent) && /^describe\b/.test(node.parent.expression.getText());

/** Files and functions are short enough to be read in one go. */
export const checkSizes = (file: SourceFile): string[] => {
  const wrong: string[] = [];
  const lines = file.text.trimEnd().split('\n').length;
  if (lines > FILE_LINES_LIMIT) {
    wrong.push(`${file.path} has ${lines} lines: at most ${FILE_LINES_LIMIT}`);
  }
  const source = parse(file);
  visit(source, (node) => {
    if (!ts.isFunctionLike(node) || isSuite(node)) return;
    const last = source.getLineAndCharacterOfPosition(node.getEnd()).line + 1;
    const length = last - lineOf(node) + 1;
    if (length <= FUNCTION_LINES_LIMIT) return;
    const place = `${file.path}:${lineOf(node)}`;
    wrong.push(`${place} is a function of ${length} lines: at most ${FUNCTION_LINES_LIMIT}`);
  });
  return wrong;
};

/** Files are named after one idea, in snake case. */
export const checkName = (path: string): string[] => {
  const name = posix.basename(path);
  if (FORBIDDEN_NAMES.test(name)) return [`${path} is named after no idea`];
  const snake = /^[a-z0-9]+(_[a-z0-9]+)*(\.test)?\.ts$/.test(name);
  return name.endsWith('.ts') && !snake ? [`${path} is not in snake_case`] : [];
};
