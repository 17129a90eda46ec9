import { expect } from 'chai';
import { CUT } from '../../netem/fault.ts';
import type { Setting } from '../../netem/setting.ts';
import { SETTINGS_LIMIT, SettingTable } from '../../netem/setting_table.ts';

const setting = (id: string, kind: Setting['kind'] = 'profile'): Setting => ({
  id,
  kind,
  label: id,
  seed: 1,
  rules: [{ direction: 'out', peer: undefined, fault: CUT }],
});

const ids = (table: SettingTable): string[] => table.settings().map(({ id }) => id);

describe('the settings of a node', () => {
  it('end with their lease, and not before', () => {
    const table = new SettingTable();
    expect(table.hold(setting('a'), 100, 0)).to.equal('new');
    expect(table.nextExpiry()).to.equal(100);
    table.expire(99);
    expect(ids(table)).to.deep.equal(['a']);
    table.expire(100);
    expect(ids(table)).to.deep.equal([]);
    expect(table.nextExpiry()).to.equal(undefined);
  });

  it('go on when they are renewed, unchanged', () => {
    const table = new SettingTable();
    table.hold(setting('a'), 100, 0);
    const { version } = table;
    expect(table.hold(setting('a'), 100, 60)).to.equal('renewed');
    table.expire(120);
    expect(ids(table)).to.deep.equal(['a']);
    expect(table.leftMs('a', 120)).to.equal(40);
    expect(table.version).to.equal(version);
  });

  it('are taken as new when they come back after their end', () => {
    const table = new SettingTable();
    table.hold(setting('a'), 100, 0);
    expect(table.hold(setting('a'), 100, 500)).to.equal('new');
  });

  it('stand beside one another: none replaces another', () => {
    const table = new SettingTable();
    table.hold(setting('a'), 100, 0);
    table.hold(setting('b'), 200, 0);
    expect(ids(table)).to.deep.equal(['a', 'b']);
    table.expire(150);
    expect(ids(table)).to.deep.equal(['b']);
  });

  it('are cleared by kind, by id, or all; and whoever still holds one is told', () => {
    const table = new SettingTable();
    for (const id of ['a', 'b']) table.hold(setting(id), 100, 0);
    table.hold(setting('p', 'partition'), 100, 0);
    expect(table.clear('partition').map(({ id }) => id)).to.deep.equal(['p']);
    expect(table.clear({ id: 'b' }).map(({ id }) => id)).to.deep.equal(['b']);
    expect(table.hold(setting('b'), 100, 1)).to.equal('cleared');
    expect(table.clear('all').map(({ id }) => id)).to.deep.equal(['a']);
    expect(ids(table)).to.deep.equal([]);
  });

  it('are withdrawn without a memory of it: they are not cleared', () => {
    const table = new SettingTable();
    table.hold(setting('a'), 100, 0);
    const { version } = table;
    table.withdraw('a');
    expect(ids(table)).to.deep.equal([]);
    expect(table.version).to.equal(version + 1);
    table.withdraw('a');
    expect(table.version, 'nothing was there').to.equal(version + 1);
    expect(table.hold(setting('a'), 100, 1)).to.equal('new');
    table.clear('all');
    table.withdraw('a');
    expect(table.hold(setting('a'), 100, 2), 'cleared meanwhile').to.equal('cleared');
  });

  it('are bounded, and so is the memory of cleared ones', () => {
    const table = new SettingTable();
    for (let count = 0; count < SETTINGS_LIMIT; count += 1) {
      table.hold(setting(`s${count}`), 100, 0);
    }
    expect(table.hold(setting('more'), 100, 0)).to.equal('full');
    expect(table.hold(setting('s0'), 100, 0)).to.equal('renewed');
    table.clear('all');
    for (let round = 0; round < 10; round += 1) {
      for (let count = 0; count < SETTINGS_LIMIT; count += 1) {
        table.hold(setting(`r${round}.${count}`), 100, 0);
      }
      table.clear('all');
    }
    expect(table.hold(setting('s0'), 100, 0), 'forgotten').to.equal('new');
    expect(table.hold(setting('r9.0'), 100, 0), 'remembered').to.equal('cleared');
  });
});
