/** docs/coherence.md shows the tables and the messages of the code: compared both ways. */

import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { COPY_TABLE } from '../cacher/copy_table.ts';
import { DIRECTORY_TABLE } from '../fileserver/directory_table.ts';
import { MESSAGES } from '../protocol/messages.ts';

const document = readFileSync(new URL('../docs/coherence.md', import.meta.url), 'utf8');

/** The text under a heading, up to the next one of its level. */
const section = (title: string): string => {
  const [, after] = document.split(`\n## ${title}\n`);
  expect(after, `the section "${title}"`).to.be.a('string');
  return after?.split('\n## ')[0] ?? '';
};

/** The cells of all rows of the tables in a text, without the lines under the heads. */
const rows = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.startsWith('|--'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
    .filter((cells) => !/^-+$/.test(cells[0] ?? ''));

type Table = Record<string, Record<string, string>>;

/** State → event → next state, from a table of events × states. */
const tableOf = (title: string): Table => {
  const [head = [], ...lines] = rows(section(title));
  const table: Table = {};
  for (const state of head.slice(1)) table[state] = {};
  for (const [event = '', ...cells] of lines) {
    for (const [index, next] of cells.entries()) {
      const events = table[head[index + 1] ?? ''];
      expect(events, `a column for cell ${index + 1} of ${event}`).to.not.equal(undefined);
      if (events !== undefined && next !== '') events[event] = next;
    }
  }
  return table;
};

describe('docs/coherence.md', () => {
  it('shows the directory table of the code', () => {
    expect(tableOf('The directory entry')).to.deep.equal(DIRECTORY_TABLE);
  });

  it('shows the copy table of the code', () => {
    expect(tableOf('The copy')).to.deep.equal(COPY_TABLE);
  });

  it('lists every message once, and no other', () => {
    const listed = rows(section('Messages'))
      .flatMap(([names = '']) => names.split(', '))
      .filter((name) => name !== 'message');
    expect(listed.sort()).to.deep.equal(Object.keys(MESSAGES).sort());
  });

  it('names every event of the tables in its legends', () => {
    const events = (table: Table): Set<string> =>
      new Set(Object.values(table).flatMap((each) => Object.keys(each)));
    for (const event of events(DIRECTORY_TABLE)) {
      expect(section('The directory entry')).to.contain(`**${event}**`);
    }
  });
});
