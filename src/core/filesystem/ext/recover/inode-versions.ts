import { bitField, hasBit } from '../../../bytes/bits.ts';
import { divideUp } from '../../../bytes/rounding.ts';
import { firstAtLeast } from '../../../bytes/sorted-search.ts';
import { viewOf } from '../../../bytes/struct.ts';
import type { ReadOptions } from '../../../device/block-device.ts';
import { I_BLOCK_BYTES, I_BLOCK_OFFSET, INODE } from '../inode.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import type { ExtVolume } from '../volume.ts';
import { presentGroups, readGroup } from './groups.ts';
import type { JournalHistory } from './journal-history.ts';
import { type InodeVersion, VersionTable } from './version-table.ts';

const ROOT_INODE = 2;
const DIRECTORY_TYPE = 4;
/** Versions that are kept: of one inode, and in all. */
const MAX_PER_FILE = 32;
/** A directory whose entries are in its inode changes with each of them. */
const MAX_PER_DIRECTORY = 4096;
const MAX_VERSIONS = 2 ** 20;

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

/** What an inode in a block was, going back in time. */
interface Slot {
  readonly found: Mutable<InodeVersion>[];
  bytes: Uint8Array;
  /** The oldest transaction met that has it like this; undefined when only the filesystem has. */
  order: number | undefined;
  /** The newest; undefined for what it is now. */
  since: number | undefined;
}

/** The versions of all inodes, each other than the one that followed it, by inode and from the newest. */
export async function findVersions(
  volume: ExtVolume,
  history: JournalHistory,
  options?: ReadOptions,
): Promise<VersionTable> {
  const { inodesPerGroup, inodeSize, blockSize } = volume.geometry;
  const tableBlocks = divideUp(inodesPerGroup * inodeSize, blockSize);
  const versions = new VersionTable();
  const groups = presentGroups(volume);
  for (let index = 0; index < groups; index++) {
    options?.signal?.throwIfAborted();
    const group = await readGroup(volume, index, options);
    if (group === undefined) break;
    const end = group.inodeTable + tableBlocks;
    const { targets } = history;
    for (let at = firstAtLeast(targets, group.inodeTable); at < targets.length && targets[at]! < end; at++) {
      const firstId = index * inodesPerGroup + ((targets[at]! - group.inodeTable) * blockSize) / inodeSize + 1;
      const last = (index + 1) * inodesPerGroup;
      await versionsInBlock(volume, history, at, { firstId, last }, versions, options);
      if (versions.length > MAX_VERSIONS) return versions;
    }
  }
  return versions;
}

async function versionsInBlock(
  volume: ExtVolume,
  history: JournalHistory,
  target: number,
  { firstId, last }: { readonly firstId: number; readonly last: number },
  versions: VersionTable,
  options?: ReadOptions,
): Promise<void> {
  const { inodeSize, blockSize, firstInode } = volume.geometry;
  const isWanted = (id: number, bytes: Uint8Array, { bytes: newer, found: { length: known } }: Slot): boolean =>
    (id >= firstInode || id === ROOT_INODE) &&
    isAlive(bytes) &&
    !isBeginning(bytes, newer) &&
    known < (isDirectory(bytes) ? MAX_PER_DIRECTORY : MAX_PER_FILE);
  const block = history.targets[target]!;
  if (!volume.hasDataBlocks(block, 1) || (block + 1) * blockSize > volume.device.size) return;
  const now = await volume.readMetadata(block, 'inode table', options);
  const count = Math.min(blockSize / inodeSize, last - firstId + 1);
  const slots = Array.from({ length: count }, (_, index): Slot => {
    const bytes = now.subarray(index * inodeSize, (index + 1) * inodeSize);
    return { found: [], bytes, order: undefined, since: undefined };
  });
  for (const past of history.copiesOf(target).toReversed()) {
    const copy = await history.read(past, options);
    if (copy === undefined) continue;
    slots.forEach((slot, index) => {
      const id = firstId + index;
      const bytes = copy.subarray(index * inodeSize, (index + 1) * inodeSize);
      const last = slot.found.at(-1);
      if (hasSameContent(bytes, slot.bytes)) {
        if (last !== undefined && last.order === slot.since) last.firstOrder = past.order;
        slot.order = past.order;
        return;
      }
      if (isWanted(id, bytes, slot)) {
        const [{ order, index: number }, endOrder] = [past, slot.order];
        const facts = { id, generation: generationOf(bytes), isDirectory: isDirectory(bytes) };
        slot.found.push({ ...facts, order, firstOrder: order, endOrder, copy: number, within: index * inodeSize });
      }
      slot.bytes = bytes;
      slot.order = past.order;
      slot.since = past.order;
    });
  }
  for (const { found } of slots) for (const version of found) versions.push(version);
}

/** Whether a state is only the empty one that the file began with. */
function isBeginning(bytes: Uint8Array, newer: Uint8Array): boolean {
  const view = viewOf(bytes);
  const { sizeLow, sizeHigh } = INODE.fields;
  const isEmpty = view.getUint32(sizeLow.offset, true) === 0 && view.getUint32(sizeHigh.offset, true) === 0;
  return isEmpty && isAlive(newer) && generationOf(bytes) === generationOf(newer) && typeOf(bytes) === typeOf(newer);
}

function isAlive(bytes: Uint8Array): boolean {
  return typeOf(bytes) !== 0 && viewOf(bytes).getUint16(INODE.fields.linkCount.offset, true) > 0;
}

function isDirectory(bytes: Uint8Array): boolean {
  return typeOf(bytes) === DIRECTORY_TYPE;
}

function generationOf(bytes: Uint8Array): number {
  return viewOf(bytes).getUint32(INODE.fields.generation.offset, true);
}

function typeOf(bytes: Uint8Array): number {
  return bitField(viewOf(bytes).getUint16(INODE.fields.mode.offset, true), 12, 4);
}

/** Whether two states of an inode are the same file with the same content, whatever else of it has changed. */
export function hasSameContent(left: Uint8Array, right: Uint8Array): boolean {
  if (Buffer.compare(left, right) === 0) return true;
  const [one, other] = [viewOf(left), viewOf(right)];
  const { sizeLow, sizeHigh, generation, flags } = INODE.fields;
  const word = ({ offset }: { readonly offset: number }): boolean =>
    one.getUint32(offset, true) === other.getUint32(offset, true);
  if (isAlive(left) !== isAlive(right)) return false;
  if (!isAlive(left)) return true;
  if (typeOf(left) !== typeOf(right) || !word(sizeLow) || !word(sizeHigh) || !word(generation)) return false;
  for (let at = I_BLOCK_OFFSET; at < I_BLOCK_OFFSET + I_BLOCK_BYTES; at += 4)
    if (one.getUint32(at, true) !== other.getUint32(at, true)) return false;
  // Inline data reaches into the attributes, behind all fields.
  const isInline = hasBit(one.getUint32(flags.offset, true), INODE_FLAG.inlineData);
  return !isInline || Buffer.compare(left.subarray(INODE.size), right.subarray(INODE.size)) === 0;
}
