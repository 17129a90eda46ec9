/** The style of the house, checked on every file of the repository. */

import { expect } from 'chai';
import {
  checkImports,
  checkName,
  checkPurity,
  checkSizes,
  isCore,
  type SourceFile,
} from './tidy/checks.ts';
import { checkDocument, checkReferences } from './tidy/document_paths.ts';
import { listFiles, readText } from './tidy/repository.ts';

const PARTS = [
  'applib',
  'bench',
  'cacher',
  'cli',
  'fileserver',
  'netem',
  'protocol',
  'rudp',
  'test',
];

describe('the repository', () => {
  const paths = listFiles();
  const read = (path: string): SourceFile => ({ path, text: readText(path) });
  const sources = paths.filter((path) => path.endsWith('.ts')).map(read);
  const documents = paths
    .filter((path) => path.startsWith('docs/') || !path.includes('/'))
    .filter((path) => path.endsWith('.md'))
    .map(read);

  it('has sources in every part, so that these checks see something', () => {
    const parts = new Set(sources.map(({ path }) => path.split('/', 1)[0]));
    expect([...parts]).to.include.members(PARTS);
    expect(sources.filter(isCore).length).to.be.greaterThan(sources.length / 5);
    expect(documents.map(({ path }) => path)).to.include('README.md');
  });

  it('has imports that point one way', () => {
    expect(sources.flatMap(checkImports)).to.deep.equal([]);
  });

  it('keeps I/O, time and chance out of its cores', () => {
    const cores = new Set(sources.filter(isCore));
    const shells = new Set(sources.filter((each) => !cores.has(each)).map(({ path }) => path));
    expect(sources.flatMap((each) => checkPurity(each, shells))).to.deep.equal([]);
  });

  it('has files and functions that can be read in one go', () => {
    expect(sources.flatMap(checkSizes)).to.deep.equal([]);
  });

  it('has files that are named after ideas', () => {
    expect(paths.flatMap(checkName)).to.deep.equal([]);
  });

  it('has documents that name only files that exist', () => {
    expect(documents.flatMap((each) => checkDocument(each, paths))).to.deep.equal([]);
    const outside = sources.filter(({ path }) => !path.startsWith('test/tidy/'));
    expect(outside.flatMap((each) => checkReferences(each, paths))).to.deep.equal([]);
  });
});
