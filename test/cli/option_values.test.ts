import { expect } from 'chai';
import type { z } from 'zod';
import * as value from '../../cli/option_values.ts';

const read = (schema: z.ZodType, text: string): unknown => schema.safeParse(text).data;

describe('values of options', () => {
  it('takes whole numbers within their bounds, in digits only', () => {
    const schema = value.wholeNumber(1, 100);
    expect(read(schema, '1')).to.equal(1);
    expect(read(schema, '100')).to.equal(100);
    for (const wrong of ['0', '101', '-1', '1.5', '1e1', '0x10', '', ' 1', 'ten']) {
      expect(read(schema, wrong), wrong).to.equal(undefined);
    }
  });

  it('takes HOST:PORT, no IPv6, port 0 only to listen', () => {
    expect(read(value.listenAddress, 'localhost:0')).to.deep.equal({ host: 'localhost', port: 0 });
    expect(read(value.remoteAddress, 'n1:65535')).to.deep.equal({ host: 'n1', port: 65_535 });
    expect(read(value.remoteAddress, '127.0.0.1:0')).to.equal(undefined);
    for (const wrong of [
      '7000',
      ':7000',
      'a:',
      'a:65536',
      '::1:7000',
      '[::1]:7000',
      'a b:1',
      'a:1:2',
      'a:-1',
    ]) {
      expect(read(value.listenAddress, wrong), wrong).to.equal(undefined);
    }
  });

  it('writes an address so that it can be read again', () => {
    for (const text of ['127.0.0.1:7000', 'n1:7000']) {
      const address = value.remoteAddress.parse(text);
      expect(value.formatHostPort(address)).to.equal(text);
    }
  });

  it('takes socket paths of up to 107 bytes, not characters', () => {
    expect(read(value.socketPath, 'x'.repeat(107))).to.be.a('string');
    expect(read(value.socketPath, 'x'.repeat(108))).to.equal(undefined);
    expect(read(value.socketPath, 'é'.repeat(54))).to.equal(undefined);
    expect(read(value.socketPath, '')).to.equal(undefined);
  });

  it('takes names of nodes, but not that of the server', () => {
    expect(read(value.nodeName, 'n1')).to.equal('n1');
    expect(read(value.nodeName, 'x'.repeat(32))).to.be.a('string');
    for (const wrong of ['server', '', 'a b', 'a/b', 'x'.repeat(33)]) {
      expect(read(value.nodeName, wrong), wrong).to.equal(undefined);
    }
  });

  it('takes durations with their unit, from a millisecond to a day', () => {
    expect(read(value.duration, '250ms')).to.equal(250);
    expect(read(value.duration, '1.5s')).to.equal(1500);
    expect(read(value.duration, '1440m')).to.equal(86_400_000);
    for (const wrong of ['30', '0ms', '1441m', '-1s', '1h', 's']) {
      expect(read(value.duration, wrong), wrong).to.equal(undefined);
    }
  });

  it('takes "forever" where a wait may be without end, and writes it', () => {
    expect(read(value.durationOrForever, 'forever')).to.equal(value.FOREVER_MS);
    expect(value.formatDuration(value.FOREVER_MS)).to.equal('forever');
    expect(read(value.durationOrForever, '10s')).to.equal(10_000);
    expect(read(value.durationOrForever, 'never')).to.equal(undefined);
    expect(read(value.duration, 'forever')).to.equal(undefined);
  });

  it('writes a duration so that it can be read again', () => {
    for (const ms of [1, 250, 1500, 30_000]) {
      expect(read(value.duration, value.formatDuration(ms))).to.equal(ms);
    }
  });

  it('fills with one printable character', () => {
    expect(read(value.fillCharacter, '~')).to.equal('~');
    for (const wrong of ['', 'ab', '\n', 'é']) {
      expect(read(value.fillCharacter, wrong), wrong).to.equal(undefined);
    }
  });
});
