import { bitField, hasBit, joinHalves } from '../../bytes/bits.ts';
import { byteArray, type Field, i32le, Struct, type StructValue, u16le, u32le, viewOf } from '../../bytes/struct.ts';
import { corrupt } from '../../errors.ts';
import type { NodeKind, NodeTimes } from '../filesystem.ts';
import type { Geometry } from './geometry.ts';
import { INODE_FLAG } from './inode-flags.ts';
import { decodeTimestamp } from './timestamp.ts';

const BASE_BYTES = 128;
const STRUCT_BYTES = 160;
/** `i_extra_isize` that reaches over `i_projid`. */
const PROJECT_EXTRA_BYTES = 32;
/** Where the 60 bytes of block map, extent tree, inline data or symlink target lie in an inode. */
export const I_BLOCK_OFFSET = 0x28;
export const I_BLOCK_BYTES = 60;

/** `struct ext4_inode` (kernel documentation, ext4 "Index Nodes"). Fields past 128 are there as far as `extraSize` reaches. */
export const INODE = new Struct(
  'ext',
  'inode',
  {
    mode: u16le(0x00),
    uidLow: u16le(0x02),
    sizeLow: u32le(0x04),
    accessTime: i32le(0x08),
    changeTime: i32le(0x0c),
    modifyTime: i32le(0x10),
    deleteTime: u32le(0x14),
    gidLow: u16le(0x18),
    linkCount: u16le(0x1a),
    blocksLow: u32le(0x1c),
    flags: u32le(0x20),
    block: byteArray(I_BLOCK_OFFSET, I_BLOCK_BYTES),
    generation: u32le(0x64),
    attributeBlockLow: u32le(0x68),
    sizeHigh: u32le(0x6c),
    blocksHigh: u16le(0x74),
    attributeBlockHigh: u16le(0x76),
    uidHigh: u16le(0x78),
    gidHigh: u16le(0x7a),
    extraSize: u16le(0x80),
    changeTimeExtra: u32le(0x84),
    modifyTimeExtra: u32le(0x88),
    accessTimeExtra: u32le(0x8c),
    createTime: i32le(0x90),
    createTimeExtra: u32le(0x94),
    projectId: u32le(0x9c),
  },
  STRUCT_BYTES,
);

/** Of the same, what only a check looks at. */
export const INODE_REST = new Struct('ext', 'inode', { version: u32le(0x24), fragmentAddress: u32le(0x70) });

/** The file type bits of `mode`, 12 to 15. */
const KINDS: Readonly<Record<number, NodeKind>> = {
  1: 'fifo',
  2: 'character device',
  4: 'directory',
  6: 'block device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** An inode read and checked. */
export interface Inode {
  readonly id: number;
  /** Its byte offset in the device. */
  readonly offset: number;
  /** The whole on-disk inode, `inodeSize` bytes. */
  readonly bytes: Uint8Array;
  readonly kind: NodeKind;
  /** 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Undefined without the project feature, or where the inode has no room for it. */
  readonly projectId: number | undefined;
  readonly size: number;
  readonly linkCount: number;
  readonly generation: number;
  /** In units of 512 bytes. */
  readonly sectors: number;
  readonly flags: number;
  readonly iBlock: Uint8Array;
  readonly times: NodeTimes;
  /** Block number of the extended attributes, 0 for none. */
  readonly attributeBlock: number;
  /** Where extended attributes inside the inode begin, from its start; the inode's size when there is no room. */
  readonly attributesAt: number;
  /** Whether `i_extra_isize` made no sense and the fields that it covers were ignored. */
  readonly hasBadExtraSize: boolean;
}

/** Parses the inode `id` whose bytes were read at `offset`; undefined when it was never used. */
export function parseInode(bytes: Uint8Array, id: number, offset: number, geometry: Geometry): Inode | undefined {
  const extraSize = extraSizeOf(bytes);
  const raw = readFields(viewOf(bytes), extraSize ?? 0);
  if (raw.mode === 0 && raw.linkCount === 0) return undefined;
  const kind = KINDS[bitField(raw.mode, 12, 4)];
  if (kind === undefined) {
    throw damaged(id, 'mode', offset, 'a file type of 1, 2, 4, 6, 8, 10 or 12', bitField(raw.mode, 12, 4));
  }
  const hasHighSize = kind === 'file' || geometry.features.incompatible.has('large_dir');
  const size = joinHalves(hasHighSize ? raw.sizeHigh : 0, raw.sizeLow);
  if (!Number.isSafeInteger(size)) throw damaged(id, 'sizeHigh', offset, 'a size below 2^53', size);
  return {
    id,
    offset,
    bytes,
    kind,
    mode: bitField(raw.mode, 0, 12),
    uid: joinHalf(raw.uidHigh, raw.uidLow),
    gid: joinHalf(raw.gidHigh, raw.gidLow),
    projectId: hasProject(geometry) && (extraSize ?? 0) >= PROJECT_EXTRA_BYTES ? raw.projectId : undefined,
    size,
    linkCount: raw.linkCount,
    generation: raw.generation,
    sectors: sectorsOf(raw, geometry),
    flags: raw.flags,
    iBlock: bytes.subarray(I_BLOCK_OFFSET, I_BLOCK_OFFSET + I_BLOCK_BYTES),
    times: timesOf(raw, extraSize ?? 0, geometry),
    attributeBlock: joinHalves(raw.attributeBlockHigh, raw.attributeBlockLow),
    // Without extra fields the kernel looks for no attributes either.
    attributesAt: extraSize === undefined || extraSize === 0 ? bytes.length : BASE_BYTES + extraSize,
    hasBadExtraSize: extraSize === undefined,
  };
}

/**
 * The fields one by one: this is done for every file of a listing, and a loop over the table takes ten times as long. Those that
 * `extraSize` does not reach are 0.
 */
function readFields(view: DataView, extraSize: number): RawInode {
  const { fields } = INODE;
  const end = BASE_BYTES + extraSize;
  const extra = (field: Field<number>): number => (field.offset + field.length <= end ? field.get(view, 0) : 0);
  return {
    mode: fields.mode.get(view, 0),
    uidLow: fields.uidLow.get(view, 0),
    sizeLow: fields.sizeLow.get(view, 0),
    accessTime: fields.accessTime.get(view, 0),
    changeTime: fields.changeTime.get(view, 0),
    modifyTime: fields.modifyTime.get(view, 0),
    deleteTime: fields.deleteTime.get(view, 0),
    gidLow: fields.gidLow.get(view, 0),
    linkCount: fields.linkCount.get(view, 0),
    blocksLow: fields.blocksLow.get(view, 0),
    flags: fields.flags.get(view, 0),
    generation: fields.generation.get(view, 0),
    attributeBlockLow: fields.attributeBlockLow.get(view, 0),
    sizeHigh: fields.sizeHigh.get(view, 0),
    blocksHigh: fields.blocksHigh.get(view, 0),
    attributeBlockHigh: fields.attributeBlockHigh.get(view, 0),
    uidHigh: fields.uidHigh.get(view, 0),
    gidHigh: fields.gidHigh.get(view, 0),
    changeTimeExtra: extra(fields.changeTimeExtra),
    modifyTimeExtra: extra(fields.modifyTimeExtra),
    accessTimeExtra: extra(fields.accessTimeExtra),
    createTime: extra(fields.createTime),
    createTimeExtra: extra(fields.createTimeExtra),
    projectId: extra(fields.projectId),
  };
}

export function hasFlag(inode: Inode, flag: keyof typeof INODE_FLAG): boolean {
  return hasBit(inode.flags, INODE_FLAG[flag]);
}

function extraSizeOf(bytes: Uint8Array): number | undefined {
  if (bytes.length <= BASE_BYTES) return 0;
  const extraSize = bytes[BASE_BYTES]! + bytes[BASE_BYTES + 1]! * 256;
  return extraSize % 4 === 0 && BASE_BYTES + extraSize <= bytes.length ? extraSize : undefined;
}

function hasProject({ features }: Geometry): boolean {
  return features.readOnlyCompatible.has('project');
}

function joinHalf(high: number, low: number): number {
  return high * 0x1_0000 + low;
}

type RawInode = Omit<StructValue<(typeof INODE)['fields']>, 'block' | 'extraSize'>;

/** `i_blocks` counts 512-byte units, or filesystem blocks when the inode has the huge-file flag. */
function sectorsOf(raw: RawInode, geometry: Geometry): number {
  if (!geometry.features.readOnlyCompatible.has('huge_file')) return raw.blocksLow;
  const count = joinHalves(raw.blocksHigh, raw.blocksLow);
  return hasBit(raw.flags, INODE_FLAG.hugeFile) ? count * (geometry.blockSize / 512) : count;
}

function timesOf(raw: RawInode, extraSize: number, geometry: Geometry): NodeTimes {
  const hasCreated = extraSize >= 20 && (raw.createTime !== 0 || raw.createTimeExtra !== 0);
  // A deleted inode on the list of orphans has the next one's number in the place of its time.
  const hasDeleted = raw.linkCount === 0 && raw.deleteTime > geometry.inodeCount;
  return {
    modified: decodeTimestamp(raw.modifyTime, raw.modifyTimeExtra),
    accessed: decodeTimestamp(raw.accessTime, raw.accessTimeExtra),
    changed: decodeTimestamp(raw.changeTime, raw.changeTimeExtra),
    created: hasCreated ? decodeTimestamp(raw.createTime, raw.createTimeExtra) : undefined,
    deleted: hasDeleted ? { seconds: raw.deleteTime, nanoseconds: 0, zone: 'utc' } : undefined,
  };
}

function damaged(id: number, field: 'mode' | 'sizeHigh', offset: number, expected: string, found: number): Error {
  return corrupt({
    layer: 'ext',
    structure: `inode ${id} ${field}`,
    offset: offset + INODE.fields[field].offset,
    expected,
    found,
  });
}
