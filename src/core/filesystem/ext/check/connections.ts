import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { ROOT_INODE } from './limits.ts';
import type { CheckState } from './state.ts';

/** Whether every directory hangs below the root, and its `..` is the directory that it is in (e2fsck's pass 3). */
export function checkConnections(state: CheckState): void {
  const { usedInodes, directories, parents, dotDots, storedLinks } = state;
  if (!usedInodes.has(ROOT_INODE)) state.error('root-missing', 'inode 2', undefined, 'there is no root directory');
  const connected = new SparseBitSet();
  connected.add(ROOT_INODE);
  for (const id of storedLinks.keys()) {
    if (!directories.has(id) || !usedInodes.has(id)) continue;
    followUp(state, id, connected);
    const [parent, dotDot] = [parents.get(id), dotDots.get(id)];
    if (parent === dotDot) continue;
    const message = `its ".." is inode ${dotDot}, and it is in directory inode ${parent}`;
    state.error('directory-parent', `directory inode ${id}`, undefined, message, [id]);
  }
}

/** Goes up from a directory to one that is known to be connected; all on the way count as told. */
function followUp(state: CheckState, start: number, connected: SparseBitSet): void {
  const way = new Set<number>();
  let id = start;
  while (connected.add(id)) {
    way.add(id);
    const parent = state.parents.get(id);
    if (parent === 0) {
      state.error('directory-unconnected', `directory inode ${id}`, undefined, 'no directory has an entry for it', [
        id,
      ]);
      return;
    }
    id = parent;
  }
  if (way.has(id)) {
    const message = `it is below itself: ${way.size} directories hang together, and not below the root`;
    state.error('directory-loop', `directory inode ${id}`, undefined, message, [id]);
  }
}
