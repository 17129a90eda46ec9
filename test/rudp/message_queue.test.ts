import { expect } from 'chai';
import fc from 'fast-check';
import { MessageQueue } from '../../rudp/message_queue.ts';
import type { OutgoingMessage } from '../../rudp/outgoing_message.ts';
import { messageOf } from './message_of.ts';

const forwards = (queue: MessageQueue): OutgoingMessage[] => {
  const all: OutgoingMessage[] = [];
  for (let message = queue.first; message; message = message.behind) all.push(message);
  return all;
};

const backwards = (queue: MessageQueue): OutgoingMessage[] => {
  const all: OutgoingMessage[] = [];
  for (let message = queue.last; message; message = message.before) all.unshift(message);
  return all;
};

describe('a queue of messages', () => {
  it('does what an array does, from both ends and in the middle', () => {
    const action = fc.oneof(
      fc.constant('push' as const),
      fc.constant('unshift' as const),
      fc.constant('shift' as const),
      fc.nat(20),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const queue = new MessageQueue();
        const model: OutgoingMessage[] = [];
        for (const [id, each] of actions.entries()) {
          if (each === 'push' || each === 'unshift') {
            const message = messageOf(id);
            queue[each](message);
            model[each](message);
          } else if (each === 'shift') {
            expect(queue.shift()).to.equal(model.shift());
          } else if (model.length > 0) {
            const [left] = model.splice(each % model.length, 1);
            if (left !== undefined) queue.remove(left);
            expect(left).to.include({ queue: undefined, before: undefined, behind: undefined });
          }
          expect(forwards(queue)).to.eql(model);
          expect(backwards(queue)).to.eql(model);
          expect(model.every((message) => message.queue === queue)).to.equal(true);
        }
      }),
    );
  });
});
