import type { BlockDevice, ByteRange, ReadOptions } from '../device/block-device.ts';
import type { Extent, ExtentSource } from '../device/extent.ts';
import type { DiskError } from '../errors.ts';
import type { Property } from '../format.ts';
import type { CheckOptions, Finding } from './finding.ts';
import type { RecoverableFile, RecoverableOptions } from './recoverable-file.ts';

export type FileSystemType = 'fat12' | 'fat16' | 'fat32' | 'ext2' | 'ext3' | 'ext4';

export interface FileSystem {
  readonly type: FileSystemType;
  /** The volume label; empty when there is none. */
  readonly label: string;
  /** The unit of allocation (ext block, FAT cluster) in bytes. */
  readonly blockSize: number;
  /** The device that the filesystem lies on; extents of files point into it. */
  readonly device: BlockDevice;
  readonly rootId: number;
  /** `used` and `free` in bytes, where the filesystem says so. */
  readonly usage: { readonly total: number; readonly free: number | undefined };
  readonly properties: readonly Property[];
  /** Transactions of a journal that are read as if they were done; absent where there is no journal, or it was left alone. */
  readonly replayedTransactions?: number | undefined;
  /** The node with that id: an ext inode number; on FAT the byte offset of the directory entry divided by 32, 0 for the root. */
  node(id: number, options?: NodeOptions): Promise<FileNode>;
  /** Reads all metadata and says what is not consistent; changes nothing. A damaged part is a finding, never an error. */
  check(options?: CheckOptions): AsyncIterable<Finding>;
  /** Deleted files, earlier versions and chains without a name, as far as their facts or content are still there. */
  recoverable(options?: RecoverableOptions): AsyncIterable<RecoverableFile>;
}

export interface NodeOptions extends ReadOptions {
  /** The node is of an entry that is deleted: FAT has no other word of one in a deleted directory. */
  readonly deleted?: boolean | undefined;
}

export type SpecialKind = 'character device' | 'block device' | 'fifo' | 'socket';
export type NodeKind = 'directory' | 'file' | 'symlink' | SpecialKind;
/** `unknown`: the directory does not say, the node does. */
export type EntryKind = NodeKind | 'unknown';

/** A moment as the image has it. */
export interface Timestamp {
  /** Seconds since 1970-01-01T00:00:00 in `zone`; negative before. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
  /** FAT stores local time and no zone; ext stores UTC. */
  readonly zone: 'utc' | 'local';
}

export interface NodeTimes {
  readonly modified?: Timestamp | undefined;
  readonly accessed?: Timestamp | undefined;
  /** The inode's change (ctime). */
  readonly changed?: Timestamp | undefined;
  readonly created?: Timestamp | undefined;
  readonly deleted?: Timestamp | undefined;
}

export interface ExtendedAttribute {
  /** With its namespace: `user.comment`, `security.selinux`. */
  readonly name: string;
  readonly value: Uint8Array;
}

interface NodeBase {
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  /** Bytes of storage taken, as `st_blocks` x 512 tells. */
  readonly allocated: number;
  readonly times: NodeTimes;
  /** Permission bits with set-id and sticky (12 bits); absent where the filesystem has none. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** The project whose quota it counts for; absent where the filesystem has none. */
  readonly projectId?: number | undefined;
  readonly linkCount?: number;
  /** FAT attributes or ext flags in words: `read-only`, `hidden`, `immutable`, ... */
  readonly flags: readonly string[];
  readonly deleted: boolean;
  /** Where the node's own structure (inode, directory entry) lies in the filesystem's device. */
  readonly location: ByteRange;
  attributes(options?: ReadOptions): Promise<readonly ExtendedAttribute[]>;
}

export interface ListOptions extends ReadOptions {
  /** Deleted entries that are still there are listed too. */
  readonly deleted?: boolean;
}

export interface DirectoryEntry {
  /** Decoded without loss (see bytes/text.ts); not yet safe for a terminal. */
  readonly name: string;
  readonly nodeId: number;
  readonly kind: EntryKind;
  readonly deleted: boolean;
  /** The name is encrypted: `name` stands for its bytes, and nobody without the key can tell it. */
  readonly encrypted?: boolean;
  /** FAT's 8.3 name when `name` is a long one. */
  readonly shortName?: string;
}

export interface Directory extends NodeBase {
  readonly kind: 'directory';
  /** In the order of the directory, without `.` and `..`. */
  entries(options?: ListOptions): AsyncIterable<DirectoryEntry>;
  /** The same, as many at once as one read gave: what a listing of many thousands uses. */
  entryBatches(options?: ListOptions): AsyncIterable<readonly DirectoryEntry[]>;
  /** The live entry of that name, by the filesystem's own rule of equality. */
  lookup(name: string, options?: ReadOptions): Promise<DirectoryEntry | undefined>;
  /** Of a deleted one: whether what lies in its place still begins as it did. Absent where that cannot be told. */
  isStillThere?(options?: ReadOptions): Promise<boolean>;
  /** Where the directory's own blocks lie. */
  extents(range: ByteRange, options?: ReadOptions): AsyncIterable<Extent>;
}

/** A part of a file's content, and why it cannot be read. */
export interface LostRange extends ByteRange {
  readonly reason: DiskError;
}

export interface MapOptions extends ReadOptions {
  /** Told of each part that a damaged map does not give any more: a hole is given for it. Without it that is an error. */
  readonly onLost?: ((lost: LostRange) => void) | undefined;
}

export interface RegularFile extends NodeBase {
  readonly kind: 'file';
  /** Where the content lies; the sources are the filesystem's device. */
  extents(range: ByteRange, options?: MapOptions): AsyncIterable<Extent>;
  /** What storage the file has behind its content: from `size`, which is its byte 0, to the end of the last block that is its own. */
  slack(options?: ReadOptions): Promise<ExtentSource>;
}

export interface SymbolicLink extends NodeBase {
  readonly kind: 'symlink';
  target(options?: ReadOptions): Promise<string>;
}

export interface SpecialFile extends NodeBase {
  readonly kind: SpecialKind;
  /** Of a character or block device. */
  readonly device?: { readonly major: number; readonly minor: number };
}

export type FileNode = Directory | RegularFile | SymbolicLink | SpecialFile;
