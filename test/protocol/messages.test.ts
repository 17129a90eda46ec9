import { expect } from 'chai';
import { MESSAGES, priorityOf, type Message } from '../../protocol/messages.ts';
import { MESSAGE_TYPES } from './samples.ts';

describe('the priority of a message', () => {
  it('is below that of all others exactly if it carries contents of a file', () => {
    // Only which fields there are counts, not what is in them.
    const carriers = MESSAGE_TYPES.filter(
      (type) => priorityOf({ type, ...MESSAGES[type] } as unknown as Message) === 'normal',
    );
    expect(carriers).to.include.members(['data', 'backupWrite', 'collected']);
    expect(carriers).to.not.include.members(['heartbeat']);
    expect(carriers).to.not.include.members(['invalidate']);
    expect(carriers.length).to.be.lessThan(MESSAGE_TYPES.length / 2);
  });
});
