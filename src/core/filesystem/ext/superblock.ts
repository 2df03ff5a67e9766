import { byteArray, Struct, type StructValue, u8, u16le, u32le } from '../../bytes/struct.ts';

/** Byte offset of the primary superblock, whatever the block size. */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_BYTES = 1024;
export const EXT_MAGIC = 0xef53;

/** `struct ext4_super_block` (kernel documentation, ext4 "Super Block"); what a reader needs of it. Little endian. */
export const SUPERBLOCK = new Struct(
  'ext',
  'superblock',
  {
    inodeCount: u32le(0x00),
    blockCountLow: u32le(0x04),
    freeBlockCountLow: u32le(0x0c),
    freeInodeCount: u32le(0x10),
    firstDataBlock: u32le(0x14),
    logBlockSize: u32le(0x18),
    logClusterSize: u32le(0x1c),
    blocksPerGroup: u32le(0x20),
    inodesPerGroup: u32le(0x28),
    mountTime: u32le(0x2c),
    writeTime: u32le(0x30),
    mountCount: u16le(0x34),
    magic: u16le(0x38),
    state: u16le(0x3a),
    checkTime: u32le(0x40),
    creatorOs: u32le(0x48),
    revision: u32le(0x4c),
    firstInode: u32le(0x54),
    inodeSize: u16le(0x58),
    compatible: u32le(0x5c),
    incompatible: u32le(0x60),
    readOnlyCompatible: u32le(0x64),
    uuid: byteArray(0x68, 16),
    volumeName: byteArray(0x78, 16),
    lastMounted: byteArray(0x88, 64),
    journalInode: u32le(0xe0),
    journalDevice: u32le(0xe4),
    descriptorSize: u16le(0xfe),
    firstMetaGroup: u32le(0x104),
    creationTime: u32le(0x108),
    blockCountHigh: u32le(0x150),
    freeBlockCountHigh: u32le(0x158),
    backupGroup0: u32le(0x24c),
    backupGroup1: u32le(0x250),
    checksumSeed: u32le(0x270),
    writeTimeHigh: u8(0x274),
    mountTimeHigh: u8(0x275),
    creationTimeHigh: u8(0x276),
    checkTimeHigh: u8(0x277),
  },
  SUPERBLOCK_BYTES,
);

export type Superblock = StructValue<(typeof SUPERBLOCK)['fields']>;
