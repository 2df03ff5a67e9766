import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { viewOf } from '../../../bytes/struct.ts';
import type { DirectoryEntry } from '../../filesystem.ts';
import { decodeDirectoryBlock } from '../directory-block.ts';
import { I_BLOCK_OFFSET } from '../inode.ts';
import { INODE_FLAG } from '../inode-flags.ts';
import { inlineRest } from './inline.ts';
import { ROOT_INODE } from './limits.ts';
import type { CheckState } from './state.ts';
import { readRawInode } from './value-inodes.ts';

/** Inodes whose path is looked for. */
const MAX_WANTED = 5000;
const MAX_DEPTH = 1024;

interface Name {
  readonly parent: number;
  readonly name: string;
}

/** The paths of inodes: all directories are read once more for them. One without a path is `inode N`. */
export async function pathsOf(state: CheckState, ids: Iterable<number>): Promise<(id: number) => string> {
  const wanted = new Set<number>();
  for (const id of ids) {
    if (wanted.size >= MAX_WANTED) break;
    // With it the directories above it.
    let here = id;
    for (let depth = 0; here !== 0 && here !== ROOT_INODE && !wanted.has(here) && depth < MAX_DEPTH; depth++) {
      wanted.add(here);
      here = state.parents.get(here);
    }
  }
  const names = await namesOf(state, wanted);
  return (id) => pathOf(names, id);
}

function pathOf(names: ReadonlyMap<number, Name>, id: number): string {
  const parts: string[] = [];
  let here = id;
  while (here !== ROOT_INODE) {
    const found = names.get(here);
    if (found === undefined || parts.length > MAX_DEPTH)
      return parts.length === 0 ? `inode ${id}` : [`inode ${here}`, ...parts].join('/');
    parts.unshift(found.name);
    here = found.parent;
  }
  return `/${parts.join('/')}`;
}

async function namesOf(state: CheckState, wanted: Set<number>): Promise<Map<number, Name>> {
  const names = new Map<number, Name>();
  const take = (parent: number, entries: readonly DirectoryEntry[]): void => {
    for (const { nodeId, name } of entries) {
      if (!wanted.has(nodeId) || names.has(nodeId)) continue;
      const isDirectory = state.directories.has(nodeId);
      if (isDirectory && state.parents.get(nodeId) !== parent) continue;
      names.set(nodeId, { parent, name });
      // The directory of a file is known only now.
      if (!isDirectory) addAbove(state, parent, wanted);
    }
  };
  if (wanted.size === 0) return names;
  await eachDirectoryBlock(state, take);
  // What is above a file may have been passed before the file was met.
  const isOver = [...wanted].every((id) => names.has(id) || !state.directories.has(id));
  if (!isOver) await eachDirectoryBlock(state, take);
  return names;
}

function addAbove(state: CheckState, start: number, wanted: Set<number>): void {
  let here = start;
  for (let depth = 0; here !== 0 && here !== ROOT_INODE && depth < MAX_DEPTH; depth++) {
    wanted.add(here);
    here = state.parents.get(here);
  }
}

async function eachDirectoryBlock(
  state: CheckState,
  take: (parent: number, entries: readonly DirectoryEntry[]) => void,
): Promise<void> {
  const { directoryRuns, geometry } = state;
  const { blockSize, inodeCount } = geometry;
  const rules = {
    inodeCount,
    blockSize,
    hasFileType: state.has('filetype'),
    isIndexed: false,
    deleted: false,
    onlyNameBytes: undefined,
  };
  const decode = (id: number, bytes: Uint8Array, offset: number): void => {
    const found: DirectoryEntry[] = [];
    decodeDirectoryBlock({ bytes, view: viewOf(bytes), at: 0, length: bytes.length, offset }, rules, found);
    take(id, found);
  };
  const seen = new SparseBitSet();
  for (let index = 0; index < directoryRuns.length; index++) {
    state.options.signal?.throwIfAborted();
    const { id, block, count } = directoryRuns.at(index);
    if (block === 0) {
      await decodeInline(state, id, decode);
      continue;
    }
    for (let done = 0; done < count; done++) {
      if (!seen.add(block + done)) continue;
      const offset = state.blockOffset(block + done);
      if (offset + blockSize > state.device.size) break;
      const bytes = await state.read(block + done, `directory inode ${id}`);
      if (bytes !== undefined) decode(id, bytes, offset);
    }
  }
}

async function decodeInline(
  state: CheckState,
  id: number,
  decode: (id: number, bytes: Uint8Array, offset: number) => void,
): Promise<void> {
  const inode = await readRawInode(state, id);
  if (inode === undefined || !inode.has(INODE_FLAG.inlineData)) return;
  decode(id, inode.iBlock.subarray(4), inode.offset + I_BLOCK_OFFSET + 4);
  const rest = inlineRest(inode);
  if (rest !== undefined) decode(id, rest.bytes, rest.offset);
}
