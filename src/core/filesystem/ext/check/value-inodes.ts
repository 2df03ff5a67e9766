import { extAttributeHash } from '../../../bytes/ext-name-hash.ts';
import { divideDown, divideUp } from '../../../bytes/rounding.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import type { OuterValue } from './attributes.ts';
import { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** The byte offset of an inode; undefined when its group has no table. */
export function inodeOffset(state: CheckState, id: number): number | undefined {
  const { geometry, groups } = state;
  const group = divideDown(id - 1, geometry.inodesPerGroup);
  const table = groups.inodeTable[group];
  if (table === undefined || !state.hasBlock(table)) return undefined;
  return state.blockOffset(table) + ((id - 1) % geometry.inodesPerGroup) * geometry.inodeSize;
}

/** An inode by its number, wherever it is needed; undefined, and told, when it cannot be read. */
export async function readRawInode(state: CheckState, id: number): Promise<RawInode | undefined> {
  const offset = inodeOffset(state, id);
  if (offset === undefined) return undefined;
  const bytes = await state.readAt(offset, state.geometry.inodeSize, `inode ${id}`, [id]);
  return bytes === undefined ? undefined : new RawInode(bytes, id, offset);
}

/** Checks an attribute whose value is the content of an inode (ea_inode); gives the clusters that it counts for. */
export async function checkValueInode(state: CheckState, inode: RawInode, value: OuterValue): Promise<number> {
  const { geometry } = state;
  const tell = (message: string): void =>
    state.error('attribute-inode', `attributes of inode ${inode.id}`, value.offset, message, [inode.id, value.id]);
  if (value.id < geometry.firstInode || value.id > geometry.inodeCount) {
    tell(`a value is said to be in inode ${value.id}`);
    return 0;
  }
  state.valueReferences.increment(value.id);
  const holder = await readRawInode(state, value.id);
  if (holder === undefined) return 0;
  const isMarked = holder.has(INODE_FLAG.attributeInode);
  // The holder keeps the hash of its content in the place of the time of access.
  const words = [holder.time('accessTime')];
  const isRight = [true, false].some((unsigned) => extAttributeHash(value.name, words, unsigned) === value.hash);
  if (!isRight) {
    // Lustre's older kind: the holder names its owner.
    const isOlder = holder.time('modifyTime') === inode.id && holder.generation === inode.generation;
    if (!isOlder) tell(`the hash of an attribute does not fit inode ${value.id}, which holds its value`);
    return 0;
  }
  if (!isMarked) tell(`inode ${value.id} holds a value, and does not say so`);
  return divideUp(value.size, geometry.clusterSize);
}
