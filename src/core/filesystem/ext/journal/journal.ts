import { bitNumbers, hasBit } from '../../../bytes/bits.ts';
import { crc32c, crc32cWithoutField } from '../../../bytes/crc32c.ts';
import { divideDown } from '../../../bytes/rounding.ts';
import { type BlockDevice, readBytes } from '../../../device/block-device.ts';
import { unsupported } from '../../../errors.ts';
import { storedSum } from '../checksums.ts';
import {
  BLOCK_TYPE,
  DEFAULT_FAST_COMMIT_BLOCKS,
  JOURNAL_COMPATIBLE,
  JOURNAL_INCOMPATIBLE,
  JOURNAL_MAGIC,
  JOURNAL_SUPERBLOCK,
  JOURNAL_SUPERBLOCK_BYTES,
  type JournalSuperblock,
} from './structures.ts';

/** The most that mke2fs makes. */
const MAX_JOURNAL_BLOCKS = 10_240_000;
/** `JBD2_CRC32C_CHKSUM`. */
const CRC32C_TYPE = 4;

/** The journal of a filesystem: a ring of blocks, and how what is in them is written. */
export interface Journal {
  /** The content of the journal's file. */
  readonly device: BlockDevice;
  readonly blockSize: number;
  /** The ring: blocks of the file from `first` to before `end`. */
  readonly first: number;
  readonly end: number;
  /** The block where the oldest transaction begins that is not in the filesystem yet, and its number; undefined for none. */
  readonly start: { readonly block: number; readonly sequence: number } | undefined;
  /** The number of the next transaction, as far as the superblock knows it. */
  readonly sequence: number;
  /** Block numbers have 64 bits. */
  readonly isWide: boolean;
  /** How blocks are checked: not at all, a sum of each transaction, or sums of 16 or 32 bits of each block. */
  readonly checksums: 'none' | 'transaction' | 'v2' | 'v3';
  /** CRC-32C of the journal's UUID, which every sum of `v2` and `v3` begins with. */
  readonly seed: number;
  /** The first block of the area of fast commits, behind the ring; undefined without one. */
  readonly fastCommits: number | undefined;
}

/** Reads the journal's superblock. Refuses a damaged one as CORRUPT, and what it does not know as UNSUPPORTED, by name. */
export async function openJournal(device: BlockDevice, blockSize: number): Promise<Journal> {
  const bytes = await readBytes(device, 0, Math.min(JOURNAL_SUPERBLOCK_BYTES, device.size));
  const superblock = JOURNAL_SUPERBLOCK.parse(bytes);
  const { magic, blockType, blockCount, firstBlock, start, sequence } = superblock;
  requireValue(magic === JOURNAL_MAGIC, 'magic', '0xc03b3998', `0x${magic.toString(16)}`);
  const { superblockV1, superblockV2 } = BLOCK_TYPE;
  requireValue(
    [superblockV1, superblockV2].some((type) => type === blockType),
    'blockType',
    '3 or 4',
    blockType,
  );
  const incompatible = blockType === superblockV1 ? 0 : superblock.incompatible;
  requireKnown(incompatible);
  const has = (feature: keyof typeof JOURNAL_INCOMPATIBLE) => hasBit(incompatible, JOURNAL_INCOMPATIBLE[feature]);
  const checksums = checksumsOf(superblock, blockType === superblockV2, has('csum_v2'), has('csum_v3'));
  if (checksums === 'v2' || checksums === 'v3') requireChecksum(superblock, bytes);
  requireValue(
    superblock.blockSize === blockSize,
    'blockSize',
    `${blockSize}, as the filesystem has`,
    superblock.blockSize,
  );
  const most = Math.min(MAX_JOURNAL_BLOCKS, divideDown(device.size, blockSize));
  requireValue(blockCount <= most, 'blockCount', `at most ${most} blocks, as the journal's file has`, blockCount);
  const fastBlocks = has('fast_commit') ? superblock.fastCommitBlocks || DEFAULT_FAST_COMMIT_BLOCKS : 0;
  const end = blockCount - fastBlocks;
  requireValue(firstBlock >= 1 && firstBlock < end, 'firstBlock', `1 to ${end - 1}`, firstBlock);
  const isInside = start === 0 || (start >= firstBlock && start < end);
  requireValue(isInside, 'start', `0 or ${firstBlock} to ${end - 1}`, start);
  return {
    device,
    blockSize,
    first: firstBlock,
    end,
    start: start === 0 ? undefined : { block: start, sequence },
    sequence,
    isWide: has('64bit'),
    checksums,
    seed: crc32c(superblock.uuid),
    // The block between the two areas is used by neither.
    fastCommits: fastBlocks === 0 ? undefined : end + 1,
  };
}

function checksumsOf(
  { compatible, checksumType }: JournalSuperblock,
  hasFeatures: boolean,
  isV2: boolean,
  isV3: boolean,
): Journal['checksums'] {
  if (!isV2 && !isV3) return hasFeatures && hasBit(compatible, JOURNAL_COMPATIBLE.checksum) ? 'transaction' : 'none';
  requireValue(!(isV2 && isV3), 'incompatible', 'checksums of one version', 'csum_v2 and csum_v3');
  requireValue(checksumType === CRC32C_TYPE, 'checksumType', `${CRC32C_TYPE} (CRC-32C)`, checksumType);
  return isV3 ? 'v3' : 'v2';
}

function requireKnown(incompatible: number): void {
  const known: readonly number[] = Object.values(JOURNAL_INCOMPATIBLE);
  const unknown = bitNumbers(incompatible).filter((bit) => !known.includes(bit));
  if (unknown.length === 0) return;
  throw unsupported({
    layer: 'ext',
    structure: 'journal superblock incompatible',
    expected: `only ${Object.keys(JOURNAL_INCOMPATIBLE).join(', ')}`,
    found: unknown.map((bit) => `bit ${bit}`).join(', '),
  });
}

function requireChecksum({ checksum }: JournalSuperblock, bytes: Uint8Array): void {
  const computed = storedSum(crc32cWithoutField(bytes, JOURNAL_SUPERBLOCK.fields.checksum.offset));
  requireValue(computed === checksum, 'checksum', `0x${computed.toString(16)}`, `0x${checksum.toString(16)}`);
}

function requireValue(
  holds: boolean,
  field: keyof JournalSuperblock & string,
  expected: string,
  found: string | number,
): void {
  if (!holds) throw JOURNAL_SUPERBLOCK.invalid(field, expected, found);
}
