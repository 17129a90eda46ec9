import { expect } from 'chai';
import fc from 'fast-check';
import { Deadlines } from '../../rudp/deadlines.ts';
import { NEVER } from '../../rudp/millis.ts';
import { messageOf } from './message_of.ts';

describe('deadlines', () => {
  it('come in the order of their times, but for those that are taken out', () => {
    const action = fc.oneof(
      fc.record({ add: fc.nat(100) }),
      fc.record({ remove: fc.nat(50) }),
      fc.record({ now: fc.nat(100) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const deadlines = new Deadlines();
        let model: { id: number; at: number }[] = [];
        const messages = new Map<number, ReturnType<typeof messageOf>>();
        for (const [id, each] of actions.entries()) {
          if ('add' in each) {
            const message = messageOf(id);
            messages.set(id, message);
            deadlines.add(message, each.add);
            model.push({ id, at: each.add });
          } else if ('remove' in each) {
            const gone = model[each.remove];
            const message = gone && messages.get(gone.id);
            if (message !== undefined) deadlines.remove(message);
            model = model.filter((one) => one !== gone);
          } else {
            const due = model.filter(({ at }) => at <= each.now).map(({ at }) => at);
            for (const at of due.sort((a, b) => a - b)) {
              const message = deadlines.takeDue(each.now);
              const found = model.find(({ id: one }) => one === message?.id);
              expect(found?.at).to.equal(at);
              model = model.filter((one) => one !== found);
            }
            expect(deadlines.takeDue(each.now)).to.equal(undefined);
          }
          expect(deadlines.next).to.equal(Math.min(NEVER, ...model.map(({ at }) => at)));
          expect(deadlines.size).to.equal(model.length);
        }
      }),
    );
  });
});
