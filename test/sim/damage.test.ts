import { expect } from 'chai';
import type { Cacher } from '../../cacher/cacher_state.ts';
import { computeLayout } from '../../fileserver/disk/layout.ts';
import type { Server } from '../../fileserver/server_state.ts';
import { FIRST_VERSION, type FileNumber } from '../../protocol/ids.ts';
import { FakeDisk } from '../fileserver/disk/fake_disk.ts';
import { Damage } from './damage.ts';
import { EventQueue } from './event_queue.ts';
import type { World } from './world.ts';

const GEOMETRY = { files: 1, blockSizeBytes: 128, blocksPerFile: 1 };
const FILE = 0 as FileNumber;
const LAYOUT = computeLayout(GEOMETRY, 65_536);

const start = (cachers: unknown[] = []) => {
  const queue = new EventQueue();
  const disk = FakeDisk.formatted(GEOMETRY, 1, { journalBytes: 65_536 });
  const before = disk.image;
  const world = { queue, random: () => 0.5, trace: () => undefined } as unknown as World;
  const damage = new Damage(world, disk, LAYOUT, () => cachers as Cacher[]);
  const changed = (): number[] => {
    const { image } = disk;
    const wrong: number[] = [];
    for (let at = 0; at < image.length; at++) if (image[at] !== before[at]) wrong.push(at);
    return wrong;
  };
  return { queue, damage, changed };
};

const server = (members: [string, { incarnation: number }][] = []): Server =>
  ({ meta: () => ({ version: FIRST_VERSION }), members: new Map(members) }) as unknown as Server;

describe('bits that flip on the simulated disk', () => {
  it('are in a data block, and good again after their time', () => {
    const { queue, damage, changed } = start();
    damage.flip(10);
    expect(changed()).to.deep.equal([LAYOUT.regions.data.offset + 64]);
    expect(damage.none).to.equal(false);
    queue.step();
    expect(changed()).to.deep.equal([]);
    expect(damage.none).to.equal(true);
    expect([damage.mayFail(FILE, 10), damage.mayFail(FILE, 11)]).to.deep.equal([true, false]);
  });

  it('are over when the block is written, and then left as it is', () => {
    const { queue, damage, changed } = start();
    damage.flip(10);
    damage.written(LAYOUT.regions.data.offset, 64);
    expect(damage.none).to.equal(false);
    damage.written(LAYOUT.regions.data.offset, 128);
    expect(damage.none).to.equal(true);
    queue.step();
    expect(changed()).to.have.length(1);
  });

  it('excuse no damage that was never done, and no refusal while a member has a clean copy', () => {
    const reason = 'file 0: block 0 is bad';
    const files = new Map([[FILE, { copy: 'shared', version: FIRST_VERSION }]]);
    const { damage } = start([{ files, options: { node: 'n1', incarnation: 1 } }]);
    expect(() => {
      damage.checkFound(FILE, reason);
    }).to.throw(reason);
    damage.checkRefused(server([['n1', { incarnation: 2 }]]), reason);
    expect(() => {
      damage.checkRefused(server([['n1', { incarnation: 1 }]]), reason);
    }).to.throw('file 0 is refused, though n1 has a clean copy');
  });
});
