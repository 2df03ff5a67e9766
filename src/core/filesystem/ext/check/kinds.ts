import { joinHalves } from '../../../bytes/bits.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { EXTENT, EXTENT_HEADER } from '../extent-node.ts';
import { I_BLOCK_BYTES } from '../inode.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { notePolicy } from './encryption.ts';
import { parseExtentHeader } from './extent-header.ts';
import { inlineDataBytes } from './inline.ts';
import { I_BLOCK_WORDS } from './limits.ts';
import { markBad } from './mark-bad.ts';
import { FILE_TYPE, type RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

const SPECIAL_TYPES: readonly number[] = [
  FILE_TYPE.fifo,
  FILE_TYPE.characterDevice,
  FILE_TYPE.blockDevice,
  FILE_TYPE.socket,
];

/** The file type of directory entries (`ext4_dir_entry_2`) by that of the mode. */
const ENTRY_TYPES: Readonly<Record<number, number>> = {
  [FILE_TYPE.characterDevice]: 3,
  [FILE_TYPE.blockDevice]: 4,
  [FILE_TYPE.fifo]: 5,
  [FILE_TYPE.socket]: 6,
  [FILE_TYPE.symlink]: 7,
};

/** Whether an inode is what its mode says. A promise only when blocks had to be read. */
export function checkKind(state: CheckState, inode: RawInode): Promise<void> | undefined {
  const policy = inode.has(INODE_FLAG.encrypted) ? notePolicy(state, inode) : undefined;
  if (inode.is('directory')) noteDirectory(state, inode);
  else if (inode.is('file')) state.files.add(inode.id);
  else if (ENTRY_TYPES[inode.type] !== undefined) state.otherKinds.set(inode.id, ENTRY_TYPES[inode.type]!);
  if (inode.is('directory') || inode.is('file')) return policy;
  if (SPECIAL_TYPES.includes(inode.type)) checkSpecial(state, inode);
  else if (!inode.is('symlink')) markBad(state, inode, `its mode is 0${inode.mode.toString(8)}, of no kind of file`);
  else {
    warnImmutable(state, inode);
    const link = checkLink(state, inode);
    return link === undefined ? policy : link.then(() => policy);
  }
  return policy;
}

function noteDirectory(state: CheckState, inode: RawInode): void {
  state.directories.add(inode.id);
  if (inode.has(INODE_FLAG.inlineData)) state.inlineDirectories.add(inode.id);
  if (state.geometry.checksumSeed !== undefined) state.generations.set(inode.id, inode.generation);
}

/** Devices, pipes and sockets have no content. */
function checkSpecial(state: CheckState, inode: RawInode): void {
  const isImmutable = inode.has(INODE_FLAG.immutable) || inode.has(INODE_FLAG.appendOnly);
  let hasRest = false;
  for (let index = 4; index < I_BLOCK_WORDS; index++) if (inode.block(index) !== 0) hasRest = true;
  if (inode.has(INODE_FLAG.indexed) || inode.has(INODE_FLAG.extents) || (isImmutable && hasRest)) {
    markBad(state, inode, 'a device, pipe or socket has content');
    return;
  }
  warnImmutable(state, inode);
  if (inode.size !== 0)
    state.error('inode-size', `inode ${inode.id}`, inode.offset, `a device, pipe or socket has ${inode.size} bytes`, [
      inode.id,
    ]);
}

function warnImmutable(state: CheckState, inode: RawInode): void {
  if (!inode.has(INODE_FLAG.immutable) && !inode.has(INODE_FLAG.appendOnly)) return;
  state.add({
    severity: 'warning',
    code: 'inode-flags',
    structure: `inode ${inode.id}`,
    offset: inode.offset,
    message: 'immutable or append-only, and no file or directory',
    inodes: [inode.id],
  });
}

function checkLink(state: CheckState, inode: RawInode): Promise<void> | undefined {
  const bad = (): void => markBad(state, inode, `a symbolic link of ${inode.size} bytes, which its target has not`);
  const isFast = inode.size > 0 && inode.size < I_BLOCK_BYTES;
  if (inode.field('sizeHigh') !== 0 || inode.size === 0 || inode.has(INODE_FLAG.indexed)) bad();
  else if (inode.has(INODE_FLAG.inlineData)) {
    if (inode.has(INODE_FLAG.extents) || inlineDataBytes(inode) !== inode.size) bad();
  } else if (isFast) {
    if (inode.has(INODE_FLAG.extents) || targetLength(inode, inode.iBlock) !== inode.size) bad();
  } else return checkLongLink(state, inode, bad);
  return undefined;
}

async function checkLongLink(state: CheckState, inode: RawInode, bad: () => void): Promise<void> {
  const block = linkBlock(inode);
  if (block === undefined || !state.hasBlock(block)) return bad();
  const bytes = await state.read(block, `symbolic link inode ${inode.id}`, [inode.id]);
  if (bytes !== undefined && targetLength(inode, bytes) !== inode.size) bad();
}

/** The one block of a symbolic link; undefined for a map that tells more, or less. */
function linkBlock(inode: RawInode): number | undefined {
  if (!inode.has(INODE_FLAG.extents)) {
    for (let index = 1; index < I_BLOCK_WORDS; index++) if (inode.block(index) !== 0) return undefined;
    return inode.block(0);
  }
  const header = parseExtentHeader(inode.iBlock);
  if (header === undefined || header.depth !== 0 || header.entryCount !== 1) return undefined;
  const extent = EXTENT.parse(inode.iBlock, EXTENT_HEADER.size);
  if (extent.logical !== 0 || extent.length !== 1) return undefined;
  return joinHalves(extent.physicalHigh, extent.physicalLow);
}

/** As the bytes have it: up to the first zero, or what an encrypted target says; -1 when it does not end. */
function targetLength(inode: RawInode, bytes: Uint8Array): number {
  const length = inode.has(INODE_FLAG.encrypted) ? viewOf(bytes).getUint16(0, true) + 2 : bytes.indexOf(0);
  return length >= bytes.length ? -1 : length;
}
