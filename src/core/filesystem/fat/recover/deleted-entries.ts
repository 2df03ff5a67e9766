import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { type ReadOptions, readBytes } from '../../../device/block-device.ts';
import { DiskError } from '../../../errors.ts';
import { firstClusterAt } from '../check/scanned-entry.ts';
import { type DecodedEntry, nodeIdOf } from '../directory-decoder.ts';
import { directoryEntry, SLOT_BYTES } from '../directory-entry.ts';
import type { FatFileSystem } from '../fat-file-system.ts';
import type { FatDirectory } from '../nodes.ts';
import { decodeTimestamp } from '../timestamp.ts';
import { isDirectoryStart } from './directory-start.ts';

/** As deep as a walk goes. */
const MAX_DEPTH = 2048;

/** The entry of a file that is gone, or of one whose directory is. */
export interface DeletedEntry {
  readonly id: number;
  readonly path: string;
  readonly kind: 'file' | 'directory';
  readonly firstCluster: number;
  readonly size: number;
  /** When it was last written, in seconds: the later of its two times. */
  readonly stamp: number;
  /** Of a directory: whether its first cluster still begins one. */
  readonly isReadable: boolean;
}

/** Where a search begins: the root, or a directory that was found otherwise. */
export interface SearchStart {
  readonly directory: FatDirectory;
  readonly firstCluster: number;
  /** What stands before the names in it: `/` for the root, nothing for a directory whose place is lost. */
  readonly prefix: string;
}

interface Pending extends SearchStart {
  readonly isDeleted: boolean;
  readonly depth: number;
}

/** Every entry that was deleted, in the live directories, and in the deleted ones that can still be read; always in the same order. */
export async function* deletedEntries(
  filesystem: FatFileSystem,
  starts: readonly SearchStart[],
  options?: ReadOptions,
): AsyncGenerator<DeletedEntry, void> {
  const seen = new SparseBitSet();
  const pending: Pending[] = starts.map((start) => ({ ...start, isDeleted: false, depth: 0 })).reverse();
  for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
    options?.signal?.throwIfAborted();
    if (here.depth > MAX_DEPTH || !seen.add(here.firstCluster)) continue;
    const below: Pending[] = [];
    try {
      for await (const batch of here.directory.decode(options)) {
        for (const entry of batch) {
          if (entry.kind === 'label') continue;
          const isDeleted = here.isDeleted || entry.deleted;
          if (!isDeleted && entry.kind === 'file') continue;
          const found = await readEntry(filesystem, entry, here.prefix, isDeleted, options);
          if (isDeleted) yield found;
          if (entry.kind === 'file' || (isDeleted && !found.isReadable)) continue;
          const directory = isDeleted
            ? await filesystem.deletedNode(found.id, options)
            : await filesystem.node(found.id, options);
          if (directory.kind !== 'directory') continue;
          below.push({
            directory,
            firstCluster: found.firstCluster,
            prefix: `${found.path}/`,
            isDeleted,
            depth: here.depth + 1,
          });
        }
      }
    } catch (error) {
      // What is damaged is for the check to tell; the rest can still be searched.
      if (!(error instanceof DiskError) || error.code === 'IO') throw error;
    }
    for (const directory of below.reverse()) pending.push(directory);
  }
}

async function readEntry(
  filesystem: FatFileSystem,
  { kind, name, offset }: DecodedEntry & { readonly kind: string },
  prefix: string,
  isDeleted: boolean,
  options?: ReadOptions,
): Promise<DeletedEntry> {
  const { device, geometry } = filesystem;
  const slot = await readBytes(device, offset, SLOT_BYTES, options);
  const { size, modifiedDate, modifiedTime, createdDate, createdTime } = directoryEntry.parse(slot);
  const firstCluster = firstClusterAt(slot, 0, geometry);
  const modified = decodeTimestamp(modifiedDate, modifiedTime)?.seconds ?? 0;
  const created = decodeTimestamp(createdDate, createdTime)?.seconds ?? 0;
  const isDirectory = kind === 'directory';
  return {
    id: nodeIdOf(offset),
    path: `${prefix}${name}`,
    kind: isDirectory ? 'directory' : 'file',
    firstCluster,
    size,
    stamp: Math.max(modified, created),
    isReadable: isDirectory && isDeleted && (await isDirectoryStart(device, geometry, firstCluster, options)),
  };
}
