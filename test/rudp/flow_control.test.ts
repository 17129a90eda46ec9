import { expect } from 'chai';
import { chargeOf, ReceiveCredit, SendCredit } from '../../rudp/flow_control.ts';

describe('flow control', () => {
  it('charges a message its bytes and 64 more', () => {
    expect(chargeOf(0)).to.equal(64);
    expect(chargeOf(1000)).to.equal(1064);
  });

  it('lets the peer have exactly its window', () => {
    const credit = new ReceiveCredit(1000);
    expect(credit.charge(999)).to.equal(true);
    expect(credit.charge(1)).to.equal(true);
    expect(credit.charge(1)).to.equal(false);
  });

  it('announces credit once a quarter of the window came back', () => {
    const credit = new ReceiveCredit(1000);
    credit.charge(1000);
    credit.consume(249);
    expect(credit.updatePending).to.equal(false);
    credit.consume(1);
    expect(credit.updatePending).to.equal(true);
    expect(credit.announce()).to.equal(1250);
    expect(credit.updatePending).to.equal(false);
    expect(credit.heldBytes).to.equal(750);
    expect(credit.charge(250)).to.equal(true);
    expect(credit.charge(1)).to.equal(false);
  });

  it('binds the peer to what was announced, not to what was consumed', () => {
    const credit = new ReceiveCredit(1000);
    credit.charge(1000);
    credit.consume(500);
    expect(credit.charge(1)).to.equal(false);
  });

  it('raises a sender’s limit, and ignores an old announcement', () => {
    const credit = new SendCredit(100);
    credit.charge(80);
    expect(credit.available).to.equal(20);
    expect(credit.raise(300)).to.equal(true);
    expect(credit.raise(200)).to.equal(false);
    expect(credit.available).to.equal(220);
  });

  it('announces early where a message of the greatest length would not find enough', () => {
    const credit = new ReceiveCredit(1_064, 1_000);
    credit.charge(100);
    credit.consume(100);
    expect(credit.updatePending).to.equal(true);
    expect(credit.announce()).to.equal(1_164);
  });
});
