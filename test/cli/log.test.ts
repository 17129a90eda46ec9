import { expect } from 'chai';
import { readableLine } from '../../cli/log.ts';

describe('readableLine', () => {
  it('shows time, level, daemon, message and fields', () => {
    const json =
      '{"level":40,"time":"2024-05-06T07:08:09.123Z","pid":1,"hostname":"h","name":"n1",' +
      '"peer":"n2","rtt":{"ms":2},"msg":"slow link"}';
    expect(readableLine(json)).to.equal('07:08:09.123 WARN  n1: slow link peer=n2 rtt={"ms":2}');
  });

  it('leaves a line that is no log entry as it is', () => {
    expect(readableLine('Segmentation fault')).to.equal('Segmentation fault');
    expect(readableLine('7')).to.equal('7');
  });
});
