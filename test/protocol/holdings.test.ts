import { expect } from 'chai';
import { encode } from '../../protocol/codec.ts';
import type { Holding } from '../../protocol/fields.ts';
import type { FileNumber, NodeId } from '../../protocol/ids.ts';
import { FILES_LIMIT, HOLDINGS_LIMIT } from '../../protocol/messages.ts';

/** What rudp takes. */
const MESSAGE_LIMIT_BYTES = 16 * 2 ** 20;

describe('a registration', () => {
  it('fits into one message, whatever its node holds', () => {
    const term = 2 ** 53 - 1;
    const file = (2 ** 32 - 1) as FileNumber;
    const largest: Holding = { file, kind: 'dirty', term, version: { term, counter: term } };
    const holdings = new Array<Holding>(HOLDINGS_LIMIT).fill(largest);
    const node = 'n'.repeat(32) as NodeId;
    const from = { node, incarnation: Date.now(), address: '255.255.255.255:65535', pages: term };
    const message = { type: 'register', ...from, holdings, writers: [], attempt: term } as const;
    expect(encode({ ...message, pages: 2 ** 32 - 1 }).length).to.be.at.most(MESSAGE_LIMIT_BYTES);
    expect(FILES_LIMIT).to.be.lessThan(HOLDINGS_LIMIT);
  }).timeout(20_000);
});
