import { bitField, hasBit } from '../../../bytes/bits.ts';
import { isZero } from '../../../bytes/is-zero.ts';
import { NumberList } from '../../../bytes/number-list.ts';
import { roundUp } from '../../../bytes/rounding.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { viewOf } from '../../../bytes/struct.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import { GROUP_FLAG } from '../group-descriptor.ts';
import { INODE } from '../inode.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import type { ExtVolume } from '../volume.ts';
import { type Group, hasGroupFlags, presentGroups, readGroup } from './groups.ts';
import type { SearchProgress } from './search-progress.ts';

/** Inode tables are read in pieces of this size, and behind their used part as long as there is anything in them. */
const PIECE_BYTES = 256 * 1024;
const PROBE_BYTES = 32 * 1024;
const DIRECTORY_TYPE = 4;
const BASE_BYTES = 128;
/** What is kept of each inode that was found is a few numbers: so many take some tens of megabytes. */
const MAX_FOUND = 2 ** 21;

/** Of inodes that have links a number is kept. */
const MAX_IN_USE = 2 ** 24;

/** Inodes without a name, and when anything was written last. */
export interface DeletedInodes {
  readonly ids: number[];
  /** Of each: when it was deleted, in seconds since 1970; 0 when that is not told. */
  readonly deletedAt: number[];
  /** Of each: whether its number is still taken. Then it was open, or waited to be cleared (an orphan). */
  readonly isOrphan: boolean[];
  /** Those that are directories. */
  readonly directoryIds: number[];
  /** Those that have links: a directory should have an entry for each. */
  readonly inUse: SparseBitSet;
  /** The same, ascending, and the directories of them. */
  readonly idsInUse: NumberList;
  readonly directoriesInUse: NumberList;
  /** More were there than are kept. */
  isCut: boolean;
  /** The latest second in which a file was made or changed that is there, or was and still has content; and whose that is. */
  lastWrite: { readonly second: number; readonly id: number };
  /** The same of any other file. */
  lastWriteOfOthers: number;
}

/** Reads the inode tables once, in big pieces. A deleted inode may lie behind the part that its group says is in use. */
export async function findDeletedInodes(
  volume: ExtVolume,
  progress: SearchProgress,
  options?: ReadOptions,
): Promise<DeletedInodes> {
  const found: DeletedInodes = {
    ids: [],
    deletedAt: [],
    isOrphan: [],
    directoryIds: [],
    inUse: new SparseBitSet(),
    idsInUse: NumberList.ofUint32(),
    directoriesInUse: NumberList.ofUint32(),
    isCut: false,
    lastWrite: { second: 0, id: 0 },
    lastWriteOfOthers: 0,
  };
  const memory = new Uint8Array(PIECE_BYTES);
  const groups = presentGroups(volume);
  for (let index = 0; index < groups; index++) {
    options?.signal?.throwIfAborted();
    const group = await readGroup(volume, index, options);
    if (group === undefined) break;
    await scanTable(volume, group, found, memory, progress, options);
  }
  return found;
}

async function scanTable(
  volume: ExtVolume,
  group: Group,
  found: DeletedInodes,
  memory: Uint8Array,
  progress: SearchProgress,
  options?: ReadOptions,
): Promise<void> {
  const { inodesPerGroup, inodeSize, blockSize } = volume.geometry;
  const tableBytes = inodesPerGroup * inodeSize;
  const tableBlocks = roundUp(tableBytes, blockSize) / blockSize;
  if (!volume.hasDataBlocks(group.inodeTable, tableBlocks)) return;
  const usedBytes = usedInodes(volume, group) * inodeSize;
  progress.expect(usedBytes);
  const bitmap = await inodeBitmap(volume, group, options);
  const start = volume.blockOffset(group.inodeTable);
  for (let at = 0; at < tableBytes; ) {
    const isUsed = at < usedBytes;
    const wanted = isUsed ? Math.min(PIECE_BYTES, usedBytes - at) : Math.min(PROBE_BYTES, tableBytes - at);
    const length = Math.min(wanted, volume.device.size - start - at);
    if (length < inodeSize) return;
    const bytes = memory.subarray(0, length);
    await volume.device.readInto(bytes, start + at, options);
    if (isUsed) progress.add(length);
    else if (isZero(bytes, 0, bytes.length)) return;
    const firstId = group.index * inodesPerGroup + at / inodeSize + 1;
    for (let within = 0; within + inodeSize <= length; within += inodeSize)
      noteInode(volume, bytes, within, firstId + within / inodeSize, bitmap, found);
    at += length;
  }
}

/** How many inodes of a group were ever used, as far as its descriptor knows; a checker may have set it back since. */
function usedInodes(volume: ExtVolume, group: Group): number {
  const { inodesPerGroup } = volume.geometry;
  if (!hasGroupFlags(volume)) return inodesPerGroup;
  if (hasBit(group.flags, GROUP_FLAG.inodesUnwritten)) return 0;
  return Math.max(0, inodesPerGroup - group.unusedInodeCount);
}

/** Null where no inode of the group is in use. */
async function inodeBitmap(volume: ExtVolume, group: Group, options?: ReadOptions): Promise<Uint8Array | null> {
  if (hasGroupFlags(volume) && hasBit(group.flags, GROUP_FLAG.inodesUnwritten)) return null;
  if (!volume.hasDataBlocks(group.inodeBitmap, 1)) return null;
  if ((group.inodeBitmap + 1) * volume.geometry.blockSize > volume.device.size) return null;
  return volume.readMetadata(group.inodeBitmap, `inode bitmap ${group.index}`, options);
}

function noteInode(
  volume: ExtVolume,
  bytes: Uint8Array,
  at: number,
  id: number,
  bitmap: Uint8Array | null,
  found: DeletedInodes,
): void {
  const view = viewOf(bytes);
  const { mode, linkCount, deleteTime } = INODE.fields;
  const type = bitField(view.getUint16(at + mode.offset, true), 12, 4);
  if (type === 0) return;
  const { firstInode, inodesPerGroup, inodeCount } = volume.geometry;
  if (id < firstInode) return;
  const bit = (id - 1) % inodesPerGroup;
  const isTaken = bitmap !== null && hasBit(bitmap[(bit - (bit % 8)) / 8]!, bit % 8);
  const deleted = view.getUint32(at + deleteTime.offset, true);
  const isLinked = view.getUint16(at + linkCount.offset, true) > 0;
  const isDeleted = isTaken ? !isLinked : !isLinked || deleted !== 0;
  if (type !== DIRECTORY_TYPE) noteWrite(view, at, id, isDeleted, found, volume);
  if (!isDeleted) {
    // A value of attributes is held by those, not by a directory.
    if (hasBit(view.getUint32(at + INODE.fields.flags.offset, true), INODE_FLAG.attributeInode)) return;
    if (found.idsInUse.length < MAX_IN_USE && found.inUse.add(id)) found.idsInUse.push(id);
    if (type === DIRECTORY_TYPE) found.directoriesInUse.push(id);
    return;
  }
  if (found.ids.length >= MAX_FOUND) {
    found.isCut = true;
    return;
  }
  found.ids.push(id);
  if (type === DIRECTORY_TYPE) found.directoryIds.push(id);
  // An orphan has the number of the next one there.
  found.deletedAt.push(!isTaken || deleted > inodeCount ? deleted : 0);
  found.isOrphan.push(isTaken);
}

/**
 * When a file was written to, at the latest. Directories do not count: one that is there has never given a block back. Of a
 * file that the kernel deleted only its making counts: the other times are those of its end.
 */
function noteWrite(
  view: DataView,
  at: number,
  id: number,
  isDeleted: boolean,
  found: DeletedInodes,
  { geometry }: ExtVolume,
): void {
  const { changeTime, modifyTime, createTime, blocksLow, extraSize } = INODE.fields;
  const time = ({ offset }: { readonly offset: number }): number => view.getUint32(at + offset, true);
  const isCleared = isDeleted && view.getUint32(at + blocksLow.offset, true) === 0;
  const hasCreated = geometry.inodeSize > BASE_BYTES && view.getUint16(at + extraSize.offset, true) >= 20;
  let second = hasCreated ? time(createTime) : 0;
  if (!isCleared) second = Math.max(second, time(modifyTime));
  if (!isDeleted) second = Math.max(second, time(changeTime));
  if (second > found.lastWrite.second) {
    if (found.lastWrite.id !== id) found.lastWriteOfOthers = found.lastWrite.second;
    found.lastWrite = { second, id };
  } else if (second > found.lastWriteOfOthers) found.lastWriteOfOthers = second;
}
