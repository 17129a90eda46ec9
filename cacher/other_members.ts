/** The links that a cacher keeps: one to every other member, in the life that the server has named last. */

import type { Member } from '../protocol/fields.ts';
import type { NodeId } from '../protocol/ids.ts';

/** Of links between nodes, as rudp/peer_links.ts makes them, what it takes to name who they go to. */
export interface NamedPeers {
  readonly setPeer: (
    name: string,
    address: string,
    dial: 'lower-name',
    incarnation: number,
  ) => void;
  readonly removePeer: (name: string) => void;
}

export class OtherMembers {
  readonly #self: NodeId;
  #names: ReadonlySet<NodeId> = new Set();

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** Follows the newest list. A member that is not on it any more has no link. */
  follow(members: readonly Member[], links: NamedPeers): void {
    const others = members.filter(({ node }) => node !== this.#self);
    for (const { node, address, incarnation } of others) {
      links.setPeer(node, address, 'lower-name', incarnation);
    }
    const names = new Set(others.map(({ node }) => node));
    for (const gone of this.#names) if (!names.has(gone)) links.removePeer(gone);
    this.#names = names;
  }
}
