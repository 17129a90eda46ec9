import { expect } from 'chai';
import type { Holding } from '../../protocol/fields.ts';
import { TERMS_PER_EPOCH, type FileNumber, type NodeId } from '../../protocol/ids.ts';
import { codes, FILE, LONG_MS, registerOf, ServerRun } from './server_run.ts';

const dirty: Holding = { file: FILE, kind: 'dirty', term: 2, version: { term: 1, counter: 1 } };

/** What the server answers to somebody who registers with these holdings. */
const answerTo = (...holdings: Holding[]): string[] => {
  // The second life of a server: what the first announced, it cannot know.
  const run = new ServerRun('share', LONG_MS, LONG_MS, 2);
  run.register('n1');
  run.from('n2#1', registerOf('n2', 1, holdings));
  const answers = codes(run.sent('n2#1'));
  // It is refused, and the server goes on.
  expect(run.server.members.has('n1' as NodeId)).to.equal(true);
  run.from('n1#1', { type: 'getShared', request: 1, file: FILE });
  expect(codes(run.sent('n1#1'))).to.include('data');
  return answers;
};

describe('what members report of their memory', () => {
  it('is taken where it can be', () => {
    expect(answerTo(dirty)).to.include('registered');
    expect(answerTo({ ...dirty, term: TERMS_PER_EPOCH })).to.include('registered');
  });

  it('is refused for a term that was never announced', () => {
    expect(answerTo({ ...dirty, term: TERMS_PER_EPOCH + 1 })).to.deep.equal(['EPROTO']);
    expect(answerTo({ ...dirty, kind: 'empty', term: 2 ** 50 })).to.deep.equal(['EPROTO']);
  });

  it('is refused for a version of a later term than the one it is held in', () => {
    const version = { term: 3, counter: 1 };
    expect(answerTo({ ...dirty, version })).to.deep.equal(['EPROTO']);
  });

  it('is refused for a file outside the volume, and for one that is reported twice', () => {
    const file = 1_000_000 as FileNumber;
    expect(answerTo({ ...dirty, file })).to.deep.equal(['EPROTO']);
    expect(answerTo(dirty, dirty)).to.deep.equal(['EPROTO']);
  });
});
