import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { NetemAgent, type AgentEngine } from '../../netem/agent.ts';
import { AgentLink } from '../../netem/agent_link.ts';
import type { Request } from '../../netem/agent_protocol.ts';
import { Probing } from '../../netem/probing.ts';
import type { Setting } from '../../netem/setting.ts';
import { SETTINGS_LIMIT, SettingTable } from '../../netem/setting_table.ts';

const LONG_MS = 60_000;

const settingOf = (id: string, kind: Setting['kind'] = 'profile'): Setting => ({
  id,
  kind,
  label: `the ${id}`,
  seed: 1,
  rules: [],
});

/** Notes what the table holds whenever it is to apply; its probes come back at once. */
class FakeEngine implements AgentEngine {
  readonly name = 'relay';
  readonly probing = new Probing();
  readonly applied: string[][] = [];
  readonly #table: SettingTable;
  /** What stands in the way of an application. */
  obstacle: () => Promise<void> = () => Promise.resolve();
  closed = 0;

  constructor(table: SettingTable) {
    this.#table = table;
  }

  async apply(): Promise<void> {
    const held = this.#table.settings().map(({ id }) => id);
    await this.obstacle();
    this.applied.push(held);
  }

  isSeeded(): Promise<boolean> {
    return Promise.resolve(false);
  }

  preview(setting: Setting): Promise<string[]> {
    return Promise.resolve([`do ${setting.id}`]);
  }

  sendProbe(_peer: string, bytes: Uint8Array): void {
    const arrival = this.probing.handle(bytes, performance.now());
    if (typeof arrival === 'object') this.probing.handle(arrival.answer, performance.now());
  }

  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await nextTurn();
};

describe('the agent of a node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'coopfs-agent-'));
  const path = join(folder, 'agent.sock');
  let table: SettingTable;
  let engine: FakeEngine;
  let agent: NetemAgent;
  let link: AgentLink;

  beforeEach(async () => {
    table = new SettingTable();
    engine = new FakeEngine(table);
    agent = await NetemAgent.listen(path, table, engine);
    link = await AgentLink.dial('n1', path);
  });

  afterEach(async () => {
    link.close();
    await agent.close();
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  const hold = (setting: Setting, leaseMs = LONG_MS) =>
    link.ask<'hold'>({ do: 'hold', setting, leaseMs });
  const clear = (what: Extract<Request, { do: 'clear' }>['what']) =>
    link.ask<'clear'>({ do: 'clear', what });
  const show = () => link.ask<'show'>({ do: 'show' });
  /** The error of what must fail. */
  const failureOf = async (asking: Promise<unknown>): Promise<string> =>
    asking.then(
      () => 'it has not failed',
      (error: unknown) => String(error),
    );

  it('applies a setting once, however often it is renewed', async () => {
    expect(await hold(settingOf('a'))).to.deep.equal({ outcome: 'new' });
    expect(await hold(settingOf('a'))).to.deep.equal({ outcome: 'renewed' });
    expect(engine.applied).to.deep.equal([['a']]);
  });

  it('shows what it holds, for how long, and whether it is seeded', async () => {
    await hold(settingOf('a'));
    const { engine: name, seeded, settings } = await show();
    expect({ name, seeded }).to.deep.equal({ name: 'relay', seeded: false });
    expect(settings).to.have.length(1);
    const [{ leftMs, ...setting }] = settings as [(typeof settings)[number]];
    expect(setting).to.deep.equal(settingOf('a'));
    expect(leftMs).to.be.within(1, LONG_MS);
  });

  it('clears what is selected, by its labels, and refuses its renewal', async () => {
    await hold(settingOf('a'));
    await hold(settingOf('cut', 'partition'));
    expect(await clear('profile')).to.deep.equal({ cleared: ['the a'] });
    expect(await hold(settingOf('a'))).to.deep.equal({ outcome: 'cleared' });
    expect(engine.applied.at(-1)).to.deep.equal(['cut']);
    const before = engine.applied.length;
    expect(await clear('profile')).to.deep.equal({ cleared: [] });
    expect(engine.applied).to.have.length(before);
    expect(await clear('all')).to.deep.equal({ cleared: ['the cut'] });
    await clear('all');
    expect(engine.applied.slice(before), 'all takes away what nobody knows of').to.deep.equal([
      [],
      [],
    ]);
  });

  it('takes back what its engine cannot apply, and what was there before applies again', async () => {
    await hold(settingOf('a'));
    engine.obstacle = () => {
      engine.obstacle = () => Promise.resolve();
      return Promise.reject(new Error('no sch_netem'));
    };
    expect(await failureOf(hold(settingOf('b')))).to.equal('FsError: no sch_netem');
    expect(engine.applied).to.deep.equal([['a'], ['a']]);
    expect((await show()).settings.map(({ id }) => id)).to.deep.equal(['a']);
    expect(await hold(settingOf('b')), 'nobody has cleared it').to.deep.equal({ outcome: 'new' });
  });

  it('applies one change after another', async () => {
    const passes: (() => void)[] = [];
    let under = 0;
    let most = 0;
    engine.obstacle = async () => {
      under += 1;
      most = Math.max(most, under);
      await new Promise<void>((pass) => passes.push(pass));
      under -= 1;
    };
    const both = Promise.all([hold(settingOf('a')), hold(settingOf('b'))]);
    await until(() => passes.length === 1 && table.settings().length === 2);
    await nextTurn();
    passes[0]?.();
    await until(() => passes.length === 2);
    passes[1]?.();
    await both;
    expect(most).to.equal(1);
  });

  it('ends a setting whose lease is over, by itself, and says that it is idle', async () => {
    let idle = 0;
    agent.onIdle = () => {
      idle += 1;
    };
    await hold(settingOf('a'));
    await hold(settingOf('short'), 20);
    await until(() => engine.applied.length === 3);
    expect(engine.applied.at(-1)).to.deep.equal(['a']);
    expect(idle).to.equal(0);
    await clear('all');
    expect(idle).to.equal(1);
  });

  it('holds no more settings than its limit', async () => {
    for (let count = 0; count < SETTINGS_LIMIT; count += 1) {
      table.hold(settingOf(`s${count}`), LONG_MS, performance.now());
    }
    expect(await failureOf(hold(settingOf('more')))).to.contain(
      `this node has ${SETTINGS_LIMIT} settings already`,
    );
  });

  it('tells the commands of a setting without applying it', async () => {
    const { commands } = await link.ask<'preview'>({ do: 'preview', setting: settingOf('a') });
    expect(commands).to.deep.equal(['do a']);
    expect(engine.applied).to.deep.equal([]);
    expect((await show()).settings).to.deep.equal([]);
  });

  it('sends as many probes as it is asked for, and answers what came back of them', async () => {
    await link.ask<'expect'>({ do: 'expect', token: 5, forMs: LONG_MS });
    const pace = { count: 3, everyMs: 0, waitMs: 0 };
    const result = await link.ask<'probe'>({ do: 'probe', token: 5, peer: 'b', ...pace });
    expect(result).to.include({ sent: 3, received: 3 });
    expect(await link.ask<'arrived'>({ do: 'arrived', token: 5 })).to.deep.equal({ count: 3 });
    expect(await link.ask<'arrived'>({ do: 'arrived', token: 6 })).to.deep.equal({ count: 0 });
  });

  it('says what is wrong with a request, and goes on answering', async () => {
    const odd = { ...settingOf('a'), kind: 'odd' } as unknown as Setting;
    expect(await failureOf(hold(odd))).to.contain('setting.kind: ');
    expect(await failureOf(hold(settingOf('not an id')))).to.contain('setting.id: ');
    expect(await failureOf(hold(settingOf('a'), -1))).to.contain('leaseMs: ');
    expect(await hold(settingOf('a'))).to.deep.equal({ outcome: 'new' });
  });

  it('listens for its own user alone, where nobody listens yet', async () => {
    expect(statSync(path).mode & 0o077).to.equal(0);
    expect(await failureOf(NetemAgent.listen(path, table, engine))).to.contain(
      `somebody listens at ${path} already`,
    );
    expect(await failureOf(NetemAgent.listen(join(folder, 'no/a.sock'), table, engine))).to.match(
      /no\/a\.sock/,
    );
  });

  it('ends everything when it is closed', async () => {
    await hold(settingOf('a'));
    const end = agent.close();
    await until(() => link.lost);
    await end;
    expect(engine.closed).to.equal(1);
    expect(table.settings()).to.deep.equal([]);
    expect(await failureOf(AgentLink.dial('n1', path))).to.contain('no agent answers');
    agent = await NetemAgent.listen(path, table, engine);
  });

  it('takes no request any more once it closes, and takes away last what it is applying', async () => {
    let pass: () => void = () => undefined;
    engine.obstacle = () => new Promise<void>((resolve) => (pass = resolve));
    const first = failureOf(hold(settingOf('a')));
    const second = failureOf(hold(settingOf('b')));
    await until(() => table.settings().length === 2);
    const ends = [agent.close(), agent.close()];
    expect(await failureOf(AgentLink.dial('n1', path))).to.contain('no agent answers');
    expect([await first, await second].join()).to.match(/lost.*lost/);
    expect(engine.closed, 'while it applies').to.equal(0);
    pass();
    await Promise.all(ends);
    expect(engine.applied, 'nothing after the one that was under way').to.have.length(1);
    expect(engine.closed).to.equal(1);
    engine.obstacle = () => Promise.resolve();
    agent = await NetemAgent.listen(path, table, engine);
  });
});
