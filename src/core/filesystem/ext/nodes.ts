import { decodeName } from '../../bytes/text.ts';
import type { ByteRange, ReadOptions } from '../../device/block-device.ts';
import { type Extent, type ExtentSource, readExtents } from '../../device/extent.ts';
import { corrupt } from '../../errors.ts';
import type {
  Directory,
  DirectoryEntry,
  ExtendedAttribute,
  FileNode,
  ListOptions,
  MapOptions,
  NodeTimes,
  RegularFile,
  SpecialFile,
  SpecialKind,
  SymbolicLink,
} from '../filesystem.ts';
import { readAttributes } from './attributes.ts';
import { decodeDeviceNumber } from './device-number.ts';
import { directoryBatches, lookupEntry } from './directory.ts';
import { hasFlag, I_BLOCK_BYTES, type Inode } from './inode.ts';
import { inodeFlagWords } from './inode-flags.ts';
import { inodeExtents, requirePlain } from './mapping.ts';
import { inodeSlack } from './slack.ts';
import type { ExtVolume } from './volume.ts';

/** What every node of an ext filesystem tells. */
class ExtNode {
  readonly id: number;
  readonly size: number;
  readonly allocated: number;
  readonly times: NodeTimes;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly projectId: number | undefined;
  readonly linkCount: number;
  readonly flags: readonly string[];
  readonly deleted: boolean;
  readonly location: ByteRange;
  protected readonly volume: ExtVolume;
  protected readonly inode: Inode;

  constructor(volume: ExtVolume, inode: Inode, deleted: boolean) {
    this.id = inode.id;
    this.size = inode.size;
    this.allocated = inode.sectors * 512;
    this.times = inode.times;
    this.mode = inode.mode;
    this.uid = inode.uid;
    this.gid = inode.gid;
    this.projectId = inode.projectId;
    this.linkCount = inode.linkCount;
    this.flags = inodeFlagWords(inode.flags);
    this.deleted = deleted;
    this.location = { start: inode.offset, length: inode.bytes.length };
    this.volume = volume;
    this.inode = inode;
  }

  attributes(options?: ReadOptions): Promise<readonly ExtendedAttribute[]> {
    return readAttributes(this.volume, this.inode, options);
  }
}

class ExtDirectory extends ExtNode implements Directory {
  readonly kind = 'directory';

  /** Every readable entry; then, when a block was damaged, the first damage is thrown. */
  async *entries(options?: ListOptions): AsyncGenerator<DirectoryEntry, void> {
    // Not yield*: over an array that costs twice as much.
    for await (const batch of this.entryBatches(options)) for (const entry of batch) yield entry;
  }

  entryBatches(options?: ListOptions): AsyncGenerator<readonly DirectoryEntry[], void> {
    return directoryBatches(this.volume, this.inode, options);
  }

  lookup(name: string, options?: ReadOptions): Promise<DirectoryEntry | undefined> {
    return lookupEntry(this.volume, this.inode, name, options);
  }

  extents(range: ByteRange, options?: ReadOptions): AsyncGenerator<Extent, void> {
    return inodeExtents(this.volume, this.inode, range, options);
  }
}

class ExtFile extends ExtNode implements RegularFile {
  readonly kind = 'file';

  slack(options?: ReadOptions): Promise<ExtentSource> {
    return inodeSlack(this.volume, this.inode, options);
  }

  extents(range: ByteRange, options?: MapOptions): AsyncGenerator<Extent, void> {
    return inodeExtents(this.volume, this.inode, range, options);
  }
}

class ExtSymbolicLink extends ExtNode implements SymbolicLink {
  readonly kind = 'symlink';

  async target(options?: ReadOptions): Promise<string> {
    const { volume, inode } = this;
    const { blockSize } = volume.geometry;
    requirePlain(inode);
    if (inode.size > blockSize) {
      throw corrupt({
        layer: 'ext',
        structure: `symbolic link inode ${inode.id} size`,
        offset: inode.offset,
        expected: `at most a block of ${blockSize} bytes`,
        found: inode.size,
      });
    }
    if (isFastLink(inode, volume.geometry.clusterSize)) return decodeName(inode.iBlock.subarray(0, inode.size));
    const bytes = new Uint8Array(inode.size);
    const source = {
      size: inode.size,
      extents: (range: ByteRange) => inodeExtents(volume, inode, range, options),
    };
    if (bytes.length > 0) await readExtents(source, bytes, 0, options);
    return decodeName(bytes);
  }
}

/** The kernel's ext4_inode_is_fast_symlink: short, and no blocks but those of extended attributes. */
function isFastLink(inode: Inode, clusterSize: number): boolean {
  if (hasFlag(inode, 'inlineData') || hasFlag(inode, 'extents') || inode.size >= I_BLOCK_BYTES) return false;
  return inode.sectors <= (inode.attributeBlock === 0 ? 0 : clusterSize / 512);
}

class ExtSpecialFile extends ExtNode implements SpecialFile {
  readonly kind: SpecialKind;
  declare readonly device?: { readonly major: number; readonly minor: number };

  constructor(volume: ExtVolume, inode: Inode, deleted: boolean, kind: SpecialKind) {
    super(volume, inode, deleted);
    this.kind = kind;
    if (kind === 'character device' || kind === 'block device') this.device = decodeDeviceNumber(inode.iBlock);
  }
}

/** The node that an inode is; one without a name is deleted, unless the caller knows better. */
export function nodeOf(volume: ExtVolume, inode: Inode, deleted: boolean = inode.linkCount === 0): FileNode {
  switch (inode.kind) {
    case 'directory':
      return new ExtDirectory(volume, inode, deleted);
    case 'file':
      return new ExtFile(volume, inode, deleted);
    case 'symlink':
      return new ExtSymbolicLink(volume, inode, deleted);
    default:
      return new ExtSpecialFile(volume, inode, deleted, inode.kind);
  }
}
