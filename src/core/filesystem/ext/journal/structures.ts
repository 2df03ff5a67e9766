import { byteArray, Struct, type StructValue, u8, u16le, u32be, u32le } from '../../../bytes/struct.ts';

/** The first word of every block of the journal that is not a copy (kernel documentation, ext4 "Journal (jbd2)"). Big endian. */
export const JOURNAL_MAGIC = 0xc03b3998;
/** The same as it stands on disk; a copy of a block that begins with it has zeros there. */
export const ESCAPED_WORD: Uint8Array = Uint8Array.of(0xc0, 0x3b, 0x39, 0x98);

export const BLOCK_TYPE = { descriptor: 1, commit: 2, superblockV1: 3, superblockV2: 4, revoke: 5 } as const;

/** `struct journal_header_s`: begins every block of the journal's own. */
export const BLOCK_HEADER = new Struct('ext', 'journal block header', {
  magic: u32be(0),
  blockType: u32be(4),
  sequence: u32be(8),
});

export const JOURNAL_SUPERBLOCK_BYTES = 1024;

/** `struct journal_superblock_s`, in the journal's first block; version 1 has nothing behind `errorNumber`. */
export const JOURNAL_SUPERBLOCK = new Struct(
  'ext',
  'journal superblock',
  {
    magic: u32be(0x00),
    blockType: u32be(0x04),
    blockSize: u32be(0x0c),
    blockCount: u32be(0x10),
    firstBlock: u32be(0x14),
    sequence: u32be(0x18),
    start: u32be(0x1c),
    errorNumber: u32be(0x20),
    compatible: u32be(0x24),
    incompatible: u32be(0x28),
    readOnlyCompatible: u32be(0x2c),
    uuid: byteArray(0x30, 16),
    userCount: u32be(0x40),
    checksumType: u8(0x50),
    fastCommitBlocks: u32be(0x54),
    checksum: u32be(0xfc),
  },
  JOURNAL_SUPERBLOCK_BYTES,
);

export type JournalSuperblock = StructValue<(typeof JOURNAL_SUPERBLOCK)['fields']>;

/** `struct commit_header`; debugfs writes its time wrong. */
export const COMMIT_BLOCK = new Struct('ext', 'journal commit block', {
  checksumType: u8(0x0c),
  checksumSize: u8(0x0d),
  checksum: u32be(0x10),
  secondsHigh: u32be(0x30),
  secondsLow: u32be(0x34),
});

/** The word `r_count` of `struct jbd2_journal_revoke_header_s`: bytes of the block that are used, the header included. */
export const REVOKE_BLOCK = new Struct('ext', 'journal revoke block', { usedBytes: u32be(0x0c) });
/** Where the numbers of a revoke block begin, and those of a descriptor block its tags. */
export const REVOKE_ENTRIES_OFFSET = 16;
export const TAGS_OFFSET = 12;

/** Bits of a tag's flags. */
export const TAG_FLAG = { escaped: 0, sameUuid: 1, last: 3 } as const;
/** The UUID that follows a tag without the flag `sameUuid`. */
export const TAG_UUID_BYTES = 16;
/** The checksum at the end of descriptor and revoke blocks (`struct jbd2_journal_block_tail`). */
export const TAIL_BYTES = 4;

/** `s_feature_compat`, by bit. */
export const JOURNAL_COMPATIBLE = { checksum: 0 } as const;
/** `s_feature_incompat`, by bit, as `jbd2.h` names them. */
export const JOURNAL_INCOMPATIBLE = {
  revoke: 0,
  '64bit': 1,
  async_commit: 2,
  csum_v2: 3,
  csum_v3: 4,
  fast_commit: 5,
} as const;

/** `s_num_fc_blks` when it is 0 (`JBD2_DEFAULT_FAST_COMMIT_BLOCKS`). */
export const DEFAULT_FAST_COMMIT_BLOCKS = 256;
/** What begins a fast commit (`struct ext4_fc_tl` and `ext4_fc_head`); little endian, as all of that area. */
export const FAST_COMMIT_HEAD = new Struct('ext', 'fast commit head', { tag: u16le(0), transaction: u32le(8) });
/** `EXT4_FC_TAG_HEAD`. */
export const FAST_COMMIT_HEAD_TAG = 9;
