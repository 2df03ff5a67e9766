import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** Tells an inode whose fields no reader could go by; entries that name it have no type to agree with. */
export function markBad(state: CheckState, inode: RawInode, message: string): void {
  state.badInodes.add(inode.id);
  state.error('inode-field', `inode ${inode.id}`, inode.offset, message, [inode.id]);
}
