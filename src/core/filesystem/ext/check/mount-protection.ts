import { joinHalves } from '../../../bytes/bits.ts';
import { Struct, u32le } from '../../../bytes/struct.ts';
import { mmpChecksum } from '../checksums.ts';
import type { CheckState } from './state.ts';

const MMP_MAGIC = 0x004d4d50;
/** Nobody has it mounted. */
const SEQUENCE_CLEAN = 0xff4d4d50;
const MMP_BYTES = 1024;

/** `struct mmp_struct`: says who has the filesystem mounted. */
const MMP_BLOCK = new Struct('ext', 'mount protection', { magic: u32le(0), sequence: u32le(4) }, MMP_BYTES);

/** The block of multiple mount protection, where the filesystem has one; it is taken. */
export async function checkMountProtection(state: CheckState): Promise<void> {
  if (!state.has('mmp')) return;
  const block = joinHalves(state.superblock.mmpBlockHigh, state.superblock.mmpBlockLow);
  const structure = 'mount protection block';
  if (block <= state.geometry.firstDataBlock || block >= state.geometry.blockCount)
    return state.error('mount-protection', structure, undefined, `it is said to be block ${block}`);
  state.usedClusters.add(state.clusterOf(block));
  const bytes = await state.read(block, structure);
  if (bytes === undefined) return;
  const offset = state.blockOffset(block);
  const { magic, sequence } = MMP_BLOCK.parse(bytes, 0, offset);
  if (magic !== MMP_MAGIC)
    return state.error('mount-protection', structure, offset, 'it does not begin with its magic');
  const { checksumSeed } = state.geometry;
  if (checksumSeed !== undefined) state.sum(structure, offset, mmpChecksum(bytes, checksumSeed));
  if (sequence !== SEQUENCE_CLEAN)
    state.add({ severity: 'note', code: 'mount-protection', structure, offset, message: 'it was in use' });
}
