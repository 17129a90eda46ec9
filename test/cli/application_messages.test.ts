import { expect } from 'chai';
import {
  messageFromLine,
  messageToLine,
  type FromApplication,
} from '../../cli/application_messages.ts';

describe('messages of applications', () => {
  it('are one line each, and bring bytes and large integers over as they are', () => {
    const message: FromApplication = {
      type: 'record',
      record: {
        node: 'n1',
        index: 3,
        command: 'read',
        file: 7,
        data: new Uint8Array([0, 10, 13, 255]),
        ok: true,
        startNs: 2n ** 60n + 1n,
        endNs: 2n ** 60n + 2n,
      },
    };
    const line = messageToLine(message);
    expect(line.indexOf('\n')).to.equal(line.length - 1);
    expect(messageFromLine(line)).to.deep.equal(message);
  });

  it('keep what looks like packed bytes in a text as the text that it is', () => {
    const message = { type: 'failed', message: '{"$bytes":"AAAA"}' } as const;
    expect(messageFromLine(messageToLine(message))).to.deep.equal(message);
  });

  it('are refused where they are no JSON', () => {
    expect(() => messageFromLine('no such service: n9')).to.throw(SyntaxError);
  });
});
