import { expect } from 'chai';
import { RudpError } from '../../rudp/errors.ts';
import { FIRST_REQUEST_CHANNEL, MAX_CHANNEL, MAX_OPEN_REQUESTS } from '../../rudp/limits.ts';
import { encodeFailure, encodeResponse, Requests, type Requester } from '../../rudp/requests.ts';

/** A requester that notes what it is told. */
const recorder = (): Requester & { readonly told: unknown[] } => {
  const told: unknown[] = [];
  return { told, resolve: (response) => told.push([...response]), reject: (why) => told.push(why) };
};

describe('requests', () => {
  it('have a channel each, even ones on the side that dialled, odd ones on the other', () => {
    for (const [initiator, first] of [
      [true, FIRST_REQUEST_CHANNEL],
      [false, FIRST_REQUEST_CHANNEL + 1],
    ] as const) {
      const requests = new Requests(initiator);
      expect(requests.begin(recorder())).to.equal(first);
      expect(requests.begin(recorder())).to.equal(first + 2);
      expect(requests.isOurs(first)).to.equal(true);
      expect(requests.isOurs(first + 1)).to.equal(false);
      expect(first).to.be.at.most(MAX_CHANNEL);
    }
  });

  it('get their response, or the failure the peer reports, once', () => {
    const requests = new Requests(true);
    const [answered, failed] = [recorder(), recorder()];
    const [first, second] = [requests.begin(answered), requests.begin(failed)];
    requests.settle(second, encodeFailure('no such thing'));
    requests.settle(first, encodeResponse(Uint8Array.of(1, 2)));
    requests.settle(first, encodeResponse(Uint8Array.of(3)));
    expect(answered.told).to.eql([[1, 2]]);
    expect(failed.told[0]).to.be.instanceOf(RudpError);
    expect(failed.told[0]).to.include({ code: 'failed' });
    expect(String(failed.told[0])).to.include('no such thing');
    expect(requests.open).to.equal(0);
  });

  it('take a response without a status for a failure', () => {
    const requests = new Requests(true);
    const requester = recorder();
    requests.settle(requests.begin(requester), new Uint8Array(0));
    expect(requester.told[0]).to.include({ code: 'failed' });
  });

  it('hear nothing more once they are given up', () => {
    const requests = new Requests(true);
    const requester = recorder();
    const channel = requests.begin(requester);
    requests.forget(channel);
    requests.settle(channel, encodeResponse(Uint8Array.of(1)));
    requests.fail(new RudpError('closed', 'over'));
    expect(requester.told).to.eql([]);
  });

  it('all fail with the connection', () => {
    const requests = new Requests(false);
    const requesters = [recorder(), recorder()];
    for (const requester of requesters) requests.begin(requester);
    requests.fail(new RudpError('closed', 'over'));
    for (const { told } of requesters) expect(told[0]).to.include({ code: 'closed' });
    expect(requests.open).to.equal(0);
  });

  it(`are at most ${MAX_OPEN_REQUESTS} at one time`, () => {
    const requests = new Requests(true);
    const first = requests.begin(recorder());
    for (let count = 1; count < MAX_OPEN_REQUESTS; count += 1) requests.begin(recorder());
    expect(() => requests.begin(recorder()))
      .to.throw(RudpError)
      .with.property('code', 'buffer-full');
    requests.forget(first);
    requests.begin(recorder());
  });
});
