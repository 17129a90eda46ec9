import { expect } from 'chai';
import { InFlight } from '../../applib/in_flight.ts';
import { DIRECT_BYTES_LIMIT, DIRECT_REQUESTS_LIMIT } from '../../protocol/direct_limits.ts';
import type { FileNumber } from '../../protocol/ids.ts';
import type { Message } from '../../protocol/messages.ts';

const FILE = 7 as FileNumber;

const read = (request: number, length: number): Message => ({
  type: 'read',
  request,
  file: FILE,
  offset: 0,
  length,
});

const failed = (request: number): Message => ({
  type: 'failed',
  request,
  code: 'EIO',
  message: '',
});

const requests = (messages: readonly Message[]): number[] =>
  messages.map((each) => ('request' in each ? each.request : -1));

describe('requests to the file server', () => {
  it('are held back beyond the number that it takes, in order', () => {
    const inFlight = new InFlight();
    expect(inFlight.push({ type: 'hello', protocol: 1 }).length).to.equal(1);
    for (let request = 1; request <= DIRECT_REQUESTS_LIMIT; request++) {
      expect(inFlight.push(read(request, 1)).length).to.equal(1);
    }
    expect(inFlight.push(read(2000, 1))).to.deep.equal([]);
    expect(inFlight.push(read(2001, 0))).to.deep.equal([]);
    expect(inFlight.answered(failed(3000)), 'an answer to nothing').to.deep.equal([]);
    expect(requests(inFlight.answered(failed(5)))).to.deep.equal([2000]);
    expect(requests(inFlight.answered(failed(6)))).to.deep.equal([2001]);
  });

  it('are held back beyond the bytes that it takes, and a larger one goes alone', () => {
    const inFlight = new InFlight();
    inFlight.push(read(1, DIRECT_BYTES_LIMIT - 1));
    expect(inFlight.push(read(2, 1)).length).to.equal(1);
    expect(inFlight.push(read(3, 1))).to.deep.equal([]);
    expect(requests(inFlight.answered(failed(2)))).to.deep.equal([3]);
    expect(inFlight.push(read(4, DIRECT_BYTES_LIMIT + 1))).to.deep.equal([]);
    expect(inFlight.push(read(5, 1)), 'never overtakes').to.deep.equal([]);
    inFlight.answered(failed(1));
    expect(requests(inFlight.answered(failed(3)))).to.deep.equal([4]);
    expect(requests(inFlight.rest())).to.deep.equal([5]);
  });

  it('keep their bytes when the caller reuses its buffer', () => {
    const inFlight = new InFlight();
    inFlight.push(read(1, DIRECT_BYTES_LIMIT));
    const bytes = Uint8Array.of(1);
    inFlight.push({ type: 'write', request: 2, file: FILE, offset: 0, bytes });
    bytes[0] = 9;
    const [held] = inFlight.answered(failed(1));
    expect(held?.type === 'write' && held.bytes[0]).to.equal(1);
  });
});
