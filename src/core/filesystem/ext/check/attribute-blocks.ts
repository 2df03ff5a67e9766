import { attributeBlockChecksum } from '../checksums.ts';
import { XATTR_BLOCK_HEADER, XATTR_MAGIC } from '../xattr.ts';
import { checkList, outerClusters } from './attributes.ts';
import { markBad } from './mark-bad.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

/** Checks the attribute block of an inode, once however many share it; gives the clusters that it counts for. */
export async function checkAttributeBlock(state: CheckState, inode: RawInode): Promise<number> {
  const block = inode.attributeBlock;
  if (!state.has('ext_attr') || !state.hasBlock(block)) {
    const message = `its attributes are said to be in block ${block}`;
    markBad(state, inode, state.has('ext_attr') ? message : `${message}, and the filesystem has none`);
    return 0;
  }
  if (!state.seenAttributeBlocks.add(block)) return countReference(state, inode, block);
  const structure = `attribute block of inode ${inode.id}`;
  const bytes = await state.read(block, structure, [inode.id]);
  if (bytes === undefined) return 0;
  const offset = state.blockOffset(block);
  const { checksumSeed } = state.geometry;
  if (checksumSeed !== undefined)
    state.sum(structure, offset, attributeBlockChecksum(bytes, block, checksumSeed), [inode.id]);
  const header = XATTR_BLOCK_HEADER.parse(bytes, 0, offset);
  if (header.magic !== XATTR_MAGIC || header.blockCount !== 1) {
    state.error('attribute', structure, offset, 'the header of the block makes no sense', [inode.id]);
    state.claim(block, 1);
    return 0;
  }
  const outer = checkList(state, inode, { bytes, first: XATTR_BLOCK_HEADER.size, origin: 0, offset, isBlock: true });
  const clusters = 1 + (await outerClusters(state, inode, outer));
  state.claim(block, 1);
  if (header.referenceCount !== 1) state.attributeReferences.set(block, header.referenceCount - 1);
  if (clusters !== 1) state.attributeClusters.set(block, clusters);
  return clusters;
}

function countReference(state: CheckState, inode: RawInode, block: number): number {
  const left = state.attributeReferences.get(block) ?? 0;
  if (left <= 0) {
    const message = `block ${block} is the attribute block of more inodes than it counts`;
    state.error('attribute-references', `attribute block of inode ${inode.id}`, state.blockOffset(block), message, [
      inode.id,
    ]);
  } else state.attributeReferences.set(block, left - 1);
  return state.attributeClusters.get(block) ?? 1;
}

/** Blocks that count more inodes than have them. */
export function checkAttributeReferences(state: CheckState): void {
  for (const [block, left] of state.attributeReferences) {
    if (left === 0) continue;
    const message = `block ${block} of attributes counts ${left} more inodes than have it`;
    state.error('attribute-references', `attribute block ${block}`, state.blockOffset(block), message);
  }
}
