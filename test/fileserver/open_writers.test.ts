import { expect } from 'chai';
import { handleLinkDown } from '../../fileserver/server_core.ts';
import { OpenWriters } from '../../fileserver/open_writers.ts';
import type { ClientId, OpenPolicy } from '../../protocol/ids.ts';
import { codes, FILE, ServerRun } from './server_run.ts';

const A = { link: 'a', client: 1, request: 1 };
const B = { link: 'b', client: 2, request: 2 };
const C = { link: 'c', client: 3, request: 3 };

describe('OpenWriters', () => {
  it('gives the file to the first, and to the others in turn', () => {
    const writers = new OpenWriters();
    expect(writers.open(FILE, A, true)).to.equal('opened');
    expect(writers.open(FILE, B, true)).to.equal('waiting');
    expect(writers.open(FILE, C, true)).to.equal('waiting');
    expect(writers.close(FILE, A)).to.equal(B);
    expect(writers.close(FILE, B)).to.equal(C);
    expect(writers.close(FILE, C)).to.equal(undefined);
    expect(writers.open(FILE, A, false)).to.equal('opened');
  });

  it('refuses where nobody is to wait, and takes a repeat for the same opening', () => {
    const writers = new OpenWriters();
    writers.open(FILE, A, false);
    expect(writers.open(FILE, B, false)).to.equal('busy');
    expect(writers.open(FILE, A, false)).to.equal('opened');
    writers.open(FILE, B, true);
    writers.open(FILE, B, true);
    expect(writers.close(FILE, A)).to.equal(B);
    expect(writers.close(FILE, B)).to.equal(undefined);
  });

  it('forgets whoever stops waiting', () => {
    const writers = new OpenWriters();
    writers.open(FILE, A, true);
    writers.open(FILE, B, true);
    expect(writers.close(FILE, B)).to.equal(undefined);
    expect(writers.close(FILE, A)).to.equal(undefined);
  });

  it('ends the opening that is named, and none of the same writer since', () => {
    const writers = new OpenWriters();
    writers.open(FILE, A, true);
    writers.open(FILE, { ...A, request: 5 }, true);
    writers.open(FILE, B, true);
    expect(writers.close(FILE, A, A.request)).to.equal(undefined);
    expect(writers.holders.get(FILE)).to.include({ link: 'a', request: 5 });
    expect(writers.close(FILE, A, 5)).to.equal(B);
  });

  it('closes everything that came by a link', () => {
    const writers = new OpenWriters();
    writers.open(FILE, A, true);
    writers.open(FILE, { ...A, client: 9 }, true);
    writers.open(FILE, B, true);
    expect(writers.closeLink('a')).to.deep.equal([B]);
    expect(writers.closeLink('c')).to.deep.equal([]);
  });
});

describe('the open policy', () => {
  const second = (policy: OpenPolicy): { run: ServerRun; codes: string[] } => {
    const run = new ServerRun(policy);
    run.register('n1');
    const opening = { type: 'openWriter', request: 1, file: FILE } as const;
    run.from('n1#1', { ...opening, client: 1 as ClientId });
    run.take();
    run.from('n1#1', { ...opening, request: 2, client: 2 as ClientId });
    return { run, codes: codes(run.sent('n1#1')) };
  };

  it('"share" lets a second writer in', () => {
    expect(second('share').codes).to.deep.equal(['writerOpened']);
  });

  it('"fail" refuses it', () => {
    expect(second('fail').codes).to.deep.equal(['EBUSY']);
  });

  it('"wait" lets it in when the first one closes', () => {
    const { run, codes: answers } = second('wait');
    expect(answers).to.deep.equal([]);
    run.from('n1#1', {
      type: 'closeWriter',
      request: 3,
      file: FILE,
      client: 1 as ClientId,
      opening: 1,
    });
    const [opened, closed] = run.sent('n1#1');
    expect(opened).to.include({ type: 'writerOpened', request: 2 });
    expect(closed).to.include({ type: 'writerClosed', request: 3 });
  });

  it('holds between cachers and direct clients', () => {
    const run = new ServerRun('wait');
    run.register('n1');
    for (const link of ['c1', 'c2']) {
      run.from(link, { type: 'hello', protocol: 1 });
      run.from(link, { type: 'open', request: 4, file: FILE, mode: 1 });
    }
    const opening = { type: 'openWriter', request: 1, file: FILE } as const;
    run.from('n1#1', { ...opening, client: 1 as ClientId });
    expect(codes(run.sent('n1#1'))).to.deep.equal([]);
    handleLinkDown(run.server, 'c1', 0);
    expect(run.sent('c2')[0]).to.include({ type: 'opened', request: 4 });
    run.from('c2', { type: 'close', request: 5, file: FILE });
    expect(codes(run.sent('n1#1'))).to.deep.equal(['writerOpened']);
  });
});
