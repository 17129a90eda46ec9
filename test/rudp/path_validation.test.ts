import { expect } from 'chai';
import { PATH_FRAME_BYTES } from '../../rudp/limits.ts';
import { NEVER } from '../../rudp/millis.ts';
import { PathValidation } from '../../rudp/path_validation.ts';

const KNOWN = '10.0.0.1:1';
const NEW = '10.0.0.2:2';
const PTO = 100;

const arrive = (
  paths: PathValidation,
  from: string,
  packetNumber: number,
  receivedBytes: number,
  { isNewest = true, now = 0 } = {},
): boolean => {
  const isToBeTold = paths.arrivesFrom(from, KNOWN);
  const packet = { from, known: KNOWN, packetNumber, receivedBytes, isNewest, ptoMs: PTO };
  return isToBeTold && paths.onPacket(packet, now);
};

const create = (): PathValidation => new PathValidation(() => 0.5);

/** Lets the answer to the only challenge come from `from`. */
const respond = (paths: PathValidation, from: string, token: number, now: number) => {
  arrive(paths, from, 50, 100, { now });
  paths.onResponse(token, now);
  return paths.takeValidated();
};

describe('path validation', () => {
  it('challenges a new address, and takes the answer from there with its round trip', () => {
    const paths = create();
    expect(arrive(paths, KNOWN, 1, 100)).to.equal(false);
    expect(paths.poll(PTO, 0)).to.equal(undefined);
    expect(arrive(paths, NEW, 2, 100)).to.equal(true);
    const challenge = paths.poll(PTO, 0);
    expect(challenge).to.include({ to: NEW, kind: 'challenge' });
    expect(paths.poll(PTO, 0)).to.equal(undefined);
    const token = challenge?.token ?? 0;
    expect(respond(paths, NEW, token, 30)).to.eql({ address: NEW, rttMs: 30 });
    expect(paths.takeValidated()).to.equal(undefined);
    expect(paths.timeout()).to.equal(NEVER);
  });

  it('takes no answer from elsewhere, with another token, or before a challenge', () => {
    const paths = create();
    arrive(paths, NEW, 2, 100);
    const early = Math.floor(0.5 * Number.MAX_SAFE_INTEGER);
    expect(respond(paths, NEW, early, 0), 'unasked').to.equal(undefined);
    const token = paths.poll(PTO, 0)?.token ?? 0;
    expect(respond(paths, NEW, token + 1, 0)).to.equal(undefined);
    arrive(paths, '10.0.0.66:6', 1, 100, { isNewest: false });
    paths.onResponse(token, 0);
    expect(paths.takeValidated()).to.equal(undefined);
  });

  it('is begun by nothing but the newest packet', () => {
    const paths = create();
    expect(arrive(paths, NEW, 2, 100, { isNewest: false })).to.equal(false);
    expect(paths.poll(PTO, 0)).to.equal(undefined);
  });

  it('sends a new address no more bytes than came from there', () => {
    const paths = create();
    arrive(paths, NEW, 2, PATH_FRAME_BYTES - 1);
    expect(paths.poll(PTO, 0)).to.equal(undefined);
    expect(paths.timeout(), 'nothing to send').to.equal(3_000);
    arrive(paths, NEW, 3, 1);
    expect(paths.poll(PTO, 0)?.to).to.equal(NEW);
    expect(paths.poll(PTO, PTO), 'no credit left').to.equal(undefined);
    arrive(paths, NEW, 4, 1_200);
    expect(paths.poll(PTO, PTO - 1), 'too early').to.equal(undefined);
    expect(paths.poll(PTO, PTO)?.to).to.equal(NEW);
  });

  it('is over when the peer is heard at its old address, or does not answer', () => {
    const paths = create();
    arrive(paths, NEW, 5, 1_000);
    arrive(paths, KNOWN, 4, 100);
    expect(paths.timeout(), 'an older packet').to.equal(0);
    arrive(paths, KNOWN, 6, 100);
    expect(paths.timeout()).to.equal(NEVER);
    arrive(paths, NEW, 7, 1_000);
    paths.handleTimeout(2_999);
    expect(paths.timeout()).to.be.lessThan(NEVER);
    paths.handleTimeout(3_000);
    expect(paths.timeout()).to.equal(NEVER);
  });

  it('is of one address at a time, the newest', () => {
    const paths = create();
    for (let port = 1; port <= 100; port += 1) {
      arrive(paths, `10.0.0.9:${port}`, port, 40);
    }
    expect(paths.poll(PTO, 0)?.to).to.equal('10.0.0.9:100');
    expect(paths.poll(PTO, 0)).to.equal(undefined);
  });

  it('answers a challenge to where it came from', () => {
    const paths = create();
    arrive(paths, KNOWN, 1, 100);
    paths.onChallenge(77);
    expect(paths.poll(PTO, 0)).to.eql({ to: KNOWN, kind: 'response', token: 77 });
    expect(paths.poll(PTO, 0)).to.equal(undefined);
  });
});
