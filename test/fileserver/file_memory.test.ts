import { expect } from 'chai';
import { FileMemory } from '../../fileserver/file_memory.ts';
import type { FileNumber } from '../../protocol/ids.ts';

const bytes = (value: number): Uint8Array => new Uint8Array([value]);

describe('the memory of the file server', () => {
  it('holds whole files up to its pages, and gives up the one used longest ago', () => {
    const memory = new FileMemory(5, 2);
    for (const file of [1, 2]) memory.put(file as FileNumber, bytes(file));
    expect(memory.size).to.equal(2);
    memory.get(1 as FileNumber);
    memory.put(3 as FileNumber, bytes(3));
    expect(memory.size).to.equal(2);
    expect(memory.get(2 as FileNumber)).to.equal(undefined);
    expect(memory.get(1 as FileNumber)).to.deep.equal(bytes(1));
    expect(memory.get(3 as FileNumber)).to.deep.equal(bytes(3));
  });

  it('replaces the contents of a file that it has', () => {
    const memory = new FileMemory(2, 1);
    memory.put(1 as FileNumber, bytes(1));
    memory.put(1 as FileNumber, bytes(9));
    expect(memory.size).to.equal(1);
    expect(memory.get(1 as FileNumber)).to.deep.equal(bytes(9));
  });

  it('keeps nothing where no file fits', () => {
    const memory = new FileMemory(1, 2);
    memory.put(1 as FileNumber, bytes(1));
    expect(memory.size).to.equal(0);
  });
});
