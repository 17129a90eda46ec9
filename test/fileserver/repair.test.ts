import { expect } from 'chai';
import { FIRST_VERSION, type FileNumber } from '../../protocol/ids.ts';
import { statusOf } from '../../fileserver/status.ts';
import { entryOf } from '../../fileserver/server_state.ts';
import { orderOf, type Message } from '../../protocol/messages.ts';
import {
  codes,
  CONTENTS,
  FILE,
  GEOMETRY,
  HEARTBEAT_MS,
  LONG_MS,
  registerOf,
  ServerRun,
} from './server_run.ts';

const DAMAGE = `file ${FILE}: block 7 at offset 4711: its checksum is wrong`;

/** A server whose disk has file 7 damaged, n1 with a clean copy of it, and a direct client with it open. */
const start = (
  leaseMs = LONG_MS,
  scrubMs = LONG_MS,
): { run: ServerRun; ask: (message: Message) => Message[] } => {
  const run = new ServerRun('share', leaseMs, scrubMs);
  run.register('n1', 'n2');
  run.from('n1#1', { type: 'getShared', request: 1, file: FILE });
  run.settle();
  run.from('c1', { type: 'hello', protocol: 1 });
  run.from('c1', { type: 'open', request: 1, file: FILE, mode: 1 });
  run.take();
  run.damage = DAMAGE;
  const ask = (message: Message): Message[] => {
    run.from('c1', message);
    return run.sent('c1');
  };
  return { run, ask };
};

const write: Message = {
  type: 'write',
  request: 2,
  file: FILE,
  offset: 0,
  bytes: new TextEncoder().encode('CON'),
};

const fetchOf = (run: ServerRun, link: string): Message<'fetch'> => {
  const fetch = run.sent(link).find((each) => each.type === 'fetch');
  if (fetch?.type !== 'fetch') throw new Error(`${link} is not asked for its copy`);
  return fetch;
};

const fetched = (
  { order }: Message<'fetch'>,
  held: boolean,
  version = FIRST_VERSION,
): Message<'fetched'> => {
  const bytes = held ? CONTENTS : new Uint8Array(0);
  return { type: 'fetched', order, file: FILE, held, version, bytes };
};

const damagedFiles = (run: ServerRun): unknown =>
  (JSON.parse(statusOf(run.server, 1).json) as { damagedFiles: unknown }).damagedFiles;

describe('damaged blocks of a file', () => {
  it('are made good from a sharer before a write goes on, which then recalls it', () => {
    const { run } = start();
    run.from('c1', write);
    run.from('n1#1', fetched(fetchOf(run, 'n1#1'), true));
    expect(run.records.at(-1)).to.deep.include({
      kind: 'contents',
      version: FIRST_VERSION,
      bytes: CONTENTS,
    });
    const invalidate = run.sent('n1#1').find(({ type }) => type === 'invalidate');
    if (invalidate?.type !== 'invalidate') throw new Error('n1 is not recalled');
    run.from('n1#1', { type: 'invalidated', order: invalidate.order, file: FILE });
    expect(codes(run.sent('c1'))).to.deep.equal(['writeDone']);
    expect(new TextDecoder().decode((run.records.at(-1) as { bytes: Uint8Array }).bytes)).to.equal(
      'CONtents',
    );
    expect(run.server.counters.filesRepaired).to.equal(1);
    expect(damagedFiles(run)).to.deep.equal([]);
  });

  it('fail the request with EIO, that file only, if no sharer has the version of the disk', () => {
    for (const answer of [
      (fetch: Message<'fetch'>) => fetched(fetch, false),
      (fetch: Message<'fetch'>) => fetched(fetch, true, { term: 9, counter: 9 }),
      (fetch: Message<'fetch'>) => ({ ...fetched(fetch, true), bytes: CONTENTS.slice(1) }),
    ]) {
      const { run } = start();
      run.from('c1', write);
      run.from('n1#1', answer(fetchOf(run, 'n1#1')));
      expect(codes(run.sent('c1'))).to.deep.equal(['EIO']);
      expect(damagedFiles(run)).to.deep.equal([FILE]);
      expect(run.server.entries.get(FILE)?.sharers.has('n1' as never), 'copies stay').to.equal(
        true,
      );
      expect(run.server.counters.filesRepaired).to.equal(0);
      run.damage = undefined;
      run.from('c1', { type: 'open', request: 5, file: 3 as FileNumber, mode: 1 });
      run.from('c1', { ...write, request: 6, file: 3 as FileNumber });
      expect(codes(run.sent('c1'))).to.deep.equal(['opened', 'writeDone']);
    }
  });

  it('are replaced by a write of the whole file, though nobody has them', () => {
    const { run } = start();
    const whole = { ...write, bytes: new TextEncoder().encode('CONTENTS') } as const;
    run.from('c1', { ...whole, bytes: whole.bytes.slice(1) });
    run.from('n1#1', fetched(fetchOf(run, 'n1#1'), false));
    expect(codes(run.sent('c1'))).to.deep.equal(['EIO']);
    run.from('c1', { ...whole, request: 3 });
    run.from('n1#1', fetched(fetchOf(run, 'n1#1'), false));
    run.settle();
    expect(run.records.at(-1)).to.deep.include({ kind: 'contents', bytes: whole.bytes });
    expect(damagedFiles(run)).to.deep.equal([]);
    // The same call once more, as after a link that broke: what was written since must not be undone.
    run.damage = DAMAGE;
    run.from('c1', { ...whole, request: 3 });
    run.settle();
    expect(run.records.filter(({ kind }) => kind === 'contents')).to.have.length(1);
  });

  it('do not hold a request up when the sharer that is asked is lost', () => {
    const { run } = start(400);
    run.from('c1', write);
    fetchOf(run, 'n1#1');
    run.pass(1000, 'n2');
    expect(codes(run.sent('c1'))).to.deep.equal(['EIO']);
  });

  it('are not asked for by a recovery if a node has what the disk should have', () => {
    const { run } = start(400);
    run.write('n2');
    const { term } = entryOf(run.server, FILE);
    run.pass(1000);
    // Both were away, the owner before it was granted anything; the backup had a copy before.
    run.damage = DAMAGE;
    run.from('n2#2', registerOf('n2', 2));
    const dirty = { file: FILE, kind: 'dirty', term, version: FIRST_VERSION } as const;
    run.from('n1#2', registerOf('n1', 2, [dirty]));
    run.beat('n2#2');
    run.beat('n1#2');
    const commands = run.take();
    for (const [link, report] of [
      ['n2#2', { kind: 'none', term: 0, version: FIRST_VERSION, ungranted: term, base: 0 }],
      ['n1#2', { ...dirty, ungranted: 0, base: 0 }],
    ] as const) {
      const sent = commands.flatMap((each) =>
        each.do === 'send' && each.to === link ? [each.message] : [],
      );
      const order = sent.map(orderOf).find((each) => each !== undefined);
      if (order === undefined) throw new Error(`${link} is not asked`);
      run.from(link, { ...report, type: 'recovered', order, file: FILE });
    }
    run.settle();
    expect(run.entry()).to.equal('dirty owner n1 backup n2');
    expect(run.server.counters.filesRepaired).to.equal(0);
  });

  it('do not keep a file from being served when its holders are lost: EIO, until it is written', () => {
    const { run } = start(400);
    run.write('n2');
    run.pass(1000);
    run.damage = DAMAGE;
    for (const node of ['n1', 'n2']) {
      run.from(`${node}#2`, registerOf(node, 2));
      run.beat(`${node}#2`);
    }
    run.settle();
    expect(run.meta(FILE)).to.deep.include({ mark: undefined, losses: 1 });
    expect(run.meta(FILE).version.term).to.be.greaterThan(0);
    expect(run.entry()).to.equal('uncached');
    run.take();
    run.from('n1#2', { type: 'getShared', request: 1, file: FILE });
    expect(codes(run.sent('n1#2'))).to.include('EIO');
    expect(run.server.damaged.has(FILE)).to.equal(true);
  });

  it('are not given up while a node that may have the contents is away', () => {
    const { run } = start(400);
    run.write('n2');
    const { term, backup } = entryOf(run.server, FILE);
    run.pass(1000);
    run.damage = DAMAGE;
    const other = backup === 'n1' ? 'n1' : 'n3';
    // Nothing was written, says one of them; the other one may have the file.
    const empty = { file: FILE, kind: 'empty', term, version: FIRST_VERSION } as const;
    run.from(`${other}#1`, { ...registerOf(other, 1, [empty]), attempt: 2 });
    run.beat(`${other}#1`);
    const order = run
      .take()
      .flatMap((each) =>
        each.do === 'send' && each.message.type === 'recover' ? [each.message] : [],
      )
      .map(orderOf)
      .at(-1);
    if (order === undefined) throw new Error('the backup is not asked');
    const report = { kind: 'empty', term, version: FIRST_VERSION, ungranted: 0, base: 0 } as const;
    run.from(`${other}#1`, { type: 'recovered', order, file: FILE, ...report });
    run.settle();
    expect(run.server.running.size).to.equal(0);
    expect(entryOf(run.server, FILE).unavailable).to.equal(true);
    expect(run.meta(FILE).mark?.term).to.equal(term);
  });

  it('are found by the scrub, which goes through all files, and repaired', () => {
    const { files } = GEOMETRY;
    const { run } = start(LONG_MS, files * HEARTBEAT_MS);
    const turn = (): void => {
      run.pass(HEARTBEAT_MS, 'n1', 'n2');
    };
    run.damage = undefined;
    turn();
    for (let file = 0; file < FILE; file++) turn();
    expect(run.server.counters.filesVerified).to.equal(FILE);
    expect(run.warnings()).to.deep.equal([]);
    run.damage = DAMAGE;
    turn();
    run.from('n1#1', fetched(fetchOf(run, 'n1#1'), true));
    expect(run.warnings()).to.deep.equal([`${DAMAGE}; made good from a copy in memory`]);
    for (let file = FILE + 1; file < files; file++) turn();
    expect(run.server.scrub).to.deep.include({ nextFile: 0, passes: 1 });
    expect(run.server.counters).to.include({ filesVerified: files, filesRepaired: 1 });
  });
});
