import { hasBit, joinHalves } from '../../../bytes/bits.ts';
import { isZero } from '../../../bytes/is-zero.ts';
import { isPowerOfTwo } from '../../../bytes/rounding.ts';
import { superblockChecksum } from '../checksums.ts';
import { descriptorBlockCount, superblockCopies } from '../geometry.ts';
import { EXT_MAGIC, SUPERBLOCK, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from '../superblock.ts';
import { BAD_BLOCKS_INODE, BOOT_LOADER_INODE, JOURNAL_INODE, RESIZE_INODE, ROOT_INODE } from './limits.ts';
import type { CheckState } from './state.ts';

/** `i_extra_isize` itself and the upper half of the checksum. */
const MIN_EXTRA_BYTES = 4;
const STATE_VALID_BIT = 0;
const STATE_ERRORS_BIT = 1;

type FieldName = keyof (typeof SUPERBLOCK)['fields'] & string;

/** The superblock against itself, beyond what had to be right for the filesystem to be opened (e2fsck's check_super_block). */
export async function checkSuperblock(state: CheckState, isCopy: boolean): Promise<void> {
  const { superblock, geometry } = state;
  const error = (field: FieldName, message: string): void =>
    state.error('superblock-field', 'superblock', SUPERBLOCK_OFFSET + SUPERBLOCK.fields[field].offset, message);
  const warn = (field: FieldName, message: string): void =>
    state.warn('superblock-field', 'superblock', SUPERBLOCK_OFFSET + SUPERBLOCK.fields[field].offset, message);
  if (state.has('metadata_csum') && !isCopy) {
    const bytes = await state.readAt(SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES, 'superblock');
    if (bytes !== undefined) state.sum('superblock', SUPERBLOCK_OFFSET, superblockChecksum(bytes));
  }
  const reserved = joinHalves(
    state.has('64bit') ? superblock.reservedBlockCountHigh : 0,
    superblock.reservedBlockCountLow,
  );
  if (reserved > geometry.blockCount / 2)
    error('reservedBlockCountLow', `${reserved} blocks are reserved, of ${geometry.blockCount}`);
  if (superblock.reservedDescriptorBlocks > geometry.blockSize / 4)
    error('reservedDescriptorBlocks', `${superblock.reservedDescriptorBlocks} is more than a block can name`);
  if (superblock.clustersPerGroup * state.ratio !== geometry.blocksPerGroup)
    error(
      'clustersPerGroup',
      `${superblock.clustersPerGroup} clusters a group are not ${geometry.blocksPerGroup} blocks`,
    );
  const { descriptorSize } = superblock;
  if (descriptorSize !== 0 && !isPowerOfTwo(descriptorSize))
    error('descriptorSize', `${descriptorSize} is not a power of two`);
  const total = geometry.blockCount * geometry.blockSize;
  if (state.device.size < total)
    error('blockCountLow', `the filesystem has ${total} bytes, the device only ${state.device.size}`);
  const expectedFirst = geometry.blockSize === 1024 && state.ratio === 1 ? 1 : 0;
  if (geometry.firstDataBlock !== expectedFirst)
    error('firstDataBlock', `${geometry.firstDataBlock} is not ${expectedFirst}`);
  checkInodeFields(state, error, warn);
  checkFeatures(state, warn);
  checkQuotaInodes(state, error);
  if (!isCopy) await checkCopy(state);
  tellState(state);
}

function checkInodeFields(
  { superblock, geometry }: CheckState,
  error: (field: FieldName, message: string) => void,
  warn: (field: FieldName, message: string) => void,
): void {
  if (superblock.revision > 0 && (geometry.firstInode < 11 || geometry.firstInode > geometry.inodeCount))
    error('firstInode', `the first inode for files is ${geometry.firstInode}`);
  const room = geometry.inodeSize - 128;
  if (room === 0) return;
  for (const field of ['minExtraSize', 'wantedExtraSize'] as const) {
    const value = superblock[field];
    const isRight = value === 0 || (value >= MIN_EXTRA_BYTES && value <= room && value % 4 === 0);
    if (!isRight) warn(field, `${value} is no size for the extra fields of inodes`);
  }
}

function checkFeatures(state: CheckState, warn: (field: FieldName, message: string) => void): void {
  if (state.has('64bit') && !state.has('extent')) warn('incompatible', '64bit without extent');
  if (state.has('metadata_csum') && state.has('uninit_bg')) warn('readOnlyCompatible', 'metadata_csum and uninit_bg');
  if (state.has('metadata_csum_seed') && !state.has('metadata_csum'))
    warn('incompatible', 'metadata_csum_seed without metadata_csum');
  const blocks = descriptorBlockCount(state.geometry);
  if (state.has('meta_bg') && state.superblock.firstMetaGroup > blocks)
    warn('firstMetaGroup', `${state.superblock.firstMetaGroup} is behind the ${blocks} blocks of descriptors`);
  if (state.has('resize_inode') && state.has('meta_bg')) warn('compatible', 'resize_inode and meta_bg');
  if (!state.has('resize_inode') && state.superblock.reservedDescriptorBlocks !== 0)
    warn('reservedDescriptorBlocks', `${state.superblock.reservedDescriptorBlocks} without resize_inode`);
  const hasJournal = state.superblock.journalInode !== 0 || !isZero(state.superblock.journalUuid);
  if (!state.has('has_journal') && (hasJournal || state.has('needs_recovery')))
    warn('compatible', 'there is a journal, and has_journal is not set');
}

/** What a copy of the superblock must have in common with it, to be of use. */
const COPIED_FIELDS = ['inodeCount', 'blockCountLow', 'blocksPerGroup', 'inodesPerGroup', 'logBlockSize'] as const;

/** The first copy; none of it is read while the superblock itself is in order, and e2fsck -n does not look at it either. */
async function checkCopy(state: CheckState): Promise<void> {
  const { geometry, device, superblock } = state;
  const group = superblockCopies(geometry)[0];
  if (group === undefined) return;
  const block = geometry.firstDataBlock + group * geometry.blocksPerGroup;
  const offset = state.blockOffset(block);
  if (offset + SUPERBLOCK_BYTES > device.size) return;
  const structure = `superblock copy in block ${block}`;
  const bytes = await state.readAt(offset, SUPERBLOCK_BYTES, structure);
  if (bytes === undefined) return;
  const copy = SUPERBLOCK.parse(bytes, 0, offset);
  const isSame = COPIED_FIELDS.every((field) => copy[field] === superblock[field]);
  if (copy.magic === EXT_MAGIC && isSame && Buffer.compare(copy.uuid, superblock.uuid) === 0) return;
  state.warn('superblock-copy', structure, offset, 'it is not a copy of the superblock');
}

/** Files of quotas have numbers that no other structure has. */
function checkQuotaInodes(state: CheckState, error: (field: FieldName, message: string) => void): void {
  if (!state.has('quota')) return;
  for (const field of ['userQuotaInode', 'groupQuotaInode', 'projectQuotaInode'] as const) {
    const id = state.superblock[field];
    const isTaken = [BAD_BLOCKS_INODE, ROOT_INODE, BOOT_LOADER_INODE, RESIZE_INODE, JOURNAL_INODE].includes(id);
    if (id > state.geometry.inodeCount || isTaken) error(field, `inode ${id} is none for quotas`);
  }
}

/** What is worth knowing and no inconsistency: `e2fsck -f` checks in either case. */
function tellState(state: CheckState): void {
  const offset = SUPERBLOCK_OFFSET + SUPERBLOCK.fields.state.offset;
  const note = (message: string): void =>
    state.add({ severity: 'note', code: 'state', structure: 'superblock', offset, message });
  if (hasBit(state.superblock.state, STATE_ERRORS_BIT)) note('the kernel has marked the filesystem as having errors');
  else if (!hasBit(state.superblock.state, STATE_VALID_BIT)) note('it was not unmounted in order');
}
