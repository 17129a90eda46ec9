import { expect } from 'chai';
import { RudpError } from '../../rudp/errors.ts';
import { newKeyLine, parseKeys } from '../../rudp/key_file.ts';
import { MAX_KEYS } from '../../rudp/limits.ts';

const line = (digits: string): string => digits.repeat(32);

describe('a key file', () => {
  it('has a key a line, in the order of their use; empty lines and comments do not count', () => {
    const text = `# since May\n${line('0a')}\n\n  ${line('FF')}\r\n`;
    expect(parseKeys(text, 'k')).to.eql([
      new Uint8Array(32).fill(10),
      new Uint8Array(32).fill(255),
    ]);
  });

  it('with anything else in it is refused by line', () => {
    for (const wrong of ['0a', `${line('0a')}0`, `${line('0a')} x`, line('0g')]) {
      expect(() => parseKeys(`#\n${wrong}\n`, 'k'), wrong).to.throw(
        RudpError,
        'k, line 2 is no key',
      );
    }
  });

  it(`has 1 to ${MAX_KEYS} keys`, () => {
    expect(() => parseKeys('# none\n', 'k')).to.throw(RudpError, 'k has 0 keys');
    expect(parseKeys(`${line('01')}\n`.repeat(MAX_KEYS), 'k').length).to.equal(MAX_KEYS);
    const more = `${line('01')}\n`.repeat(MAX_KEYS + 1);
    expect(() => parseKeys(more, 'k')).to.throw(RudpError, `k has ${MAX_KEYS + 1} keys`);
  });

  it('gets another key every time', () => {
    expect(newKeyLine()).not.to.equal(newKeyLine());
    expect(parseKeys(newKeyLine(), 'k').length).to.equal(1);
  });
});
