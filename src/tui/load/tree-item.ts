import {
  type ByteRange,
  type EntryKind,
  type FileSystem,
  formatLocator,
  formatPlace,
  formatView,
  type Image,
  type ImageView,
  type Partition,
  type PartitionTable,
  type RecoverableFile,
  type Volume,
} from '../../core/index.ts';

export interface EntryItem {
  readonly kind: 'entry';
  readonly volume: Volume;
  readonly filesystem: FileSystem;
  readonly parent: EntryItem | undefined;
  /** As the image has it. */
  readonly name: string;
  /** Safe for a terminal. */
  readonly label: string;
  readonly nodeId: number;
  readonly entryKind: EntryKind;
  readonly deleted: boolean;
}

/** A deleted file, or an earlier version of one, that a search for such files found. */
export interface RecoverableItem {
  readonly kind: 'recoverable';
  readonly volume: Volume;
  readonly filesystem: FileSystem;
  readonly file: RecoverableFile;
  /** Its path, its name or its key, safe for a terminal. */
  readonly label: string;
}

/** What stands for a file or directory of a filesystem. */
export type FileItem = EntryItem | RecoverableItem;

/** A thing that the tree shows: a layer, a range, a file; and the lines that stand for none. */
export type TreeItem =
  | { readonly kind: 'disk'; readonly image: Image }
  | { readonly kind: 'host-file'; readonly image: Image }
  /** The snapshots of an image, or its layers, behind one row. */
  | { readonly kind: 'views'; readonly image: Image; readonly of: 'snapshot' | 'layer' }
  /** Another disk in the files of `image`, or only that volume of it; opened with the row. */
  | { readonly kind: 'view'; readonly image: Image; readonly entry: ImageView; readonly volume?: Volume }
  | { readonly kind: 'table'; readonly image: Image; readonly table: PartitionTable }
  /** A partition, or the bare disk. An extended partition bears no volume. */
  | {
      readonly kind: 'volume';
      readonly image: Image;
      readonly volume: Volume | undefined;
      readonly partition: Partition | undefined;
    }
  | { readonly kind: 'region'; readonly image: Image; readonly name: string; readonly range: ByteRange }
  | { readonly kind: 'gap'; readonly image: Image; readonly range: ByteRange }
  | { readonly kind: 'filesystem'; readonly volume: Volume; readonly filesystem: FileSystem }
  /** The files of a filesystem that can be recovered; looked for when the row is opened. */
  | { readonly kind: 'recoverables'; readonly volume: Volume; readonly filesystem: FileSystem }
  | FileItem
  | { readonly kind: 'note'; readonly text: string }
  /** In the place of rows that are on their way, and how far they are. */
  | { readonly kind: 'loading'; readonly progress?: string }
  | { readonly kind: 'error'; readonly text: string };

/** Whether the item may have children; only trying tells for a node of unknown kind. */
export function isExpandable(item: TreeItem): boolean {
  switch (item.kind) {
    case 'disk':
    case 'table':
    case 'filesystem':
    case 'recoverables':
    case 'views':
    case 'view':
      return true;
    case 'volume':
      return item.volume !== undefined;
    case 'entry':
      // Of a cleared entry not even the inode's number is left.
      return !isCleared(item) && (item.entryKind === 'directory' || item.entryKind === 'unknown');
    default:
      return false;
  }
}

/** Whether the item opens as soon as it is there: what has one sensible child costs no key of its own. */
export function opensItself(item: TreeItem): boolean {
  if (item.kind === 'volume') return item.partition === undefined;
  return item.kind === 'table' || item.kind === 'filesystem';
}

/** Tells an item among its siblings. */
export function keyOf(item: TreeItem): string {
  if (item.kind === 'volume') return `volume ${item.partition?.number ?? 'bare'}`;
  if (item.kind === 'views') return `views ${item.of}`;
  if (item.kind === 'view') return `view ${formatView(item.entry.view)}`;
  if (item.kind === 'recoverable') return `recoverable ${item.file.key}`;
  return item.kind === 'entry' ? `entry ${item.deleted ? 'deleted ' : ''}${item.nodeId} ${item.name}` : item.kind;
}

/** A deleted entry whose inode number is gone as well: its name is all that is left. Only a live node has the number 0 (FAT's root). */
export function isCleared({ deleted, nodeId }: EntryItem): boolean {
  return deleted && nodeId === 0;
}

/** Whether the entry or a directory above it is deleted: no path leads to it. */
function isBelowDeleted(item: EntryItem): boolean {
  for (let at: EntryItem | undefined = item; at !== undefined; at = at.parent) if (at.deleted) return true;
  return false;
}

/** What is got back, not only got out: a deleted entry, or what a search for such files finds. */
export function isGone(item: TreeItem): boolean {
  return item.kind === 'recoverable' || item.kind === 'recoverables' || (item.kind === 'entry' && isBelowDeleted(item));
}

/** The absolute path of an entry, as the image has it. */
export function pathOf(item: EntryItem): string {
  const names: string[] = [];
  for (let at: EntryItem | undefined = item; at !== undefined; at = at.parent) names.push(at.name);
  return `/${names.reverse().join('/')}`;
}

/** Where the item is, as a locator that can be typed; undefined for what has none. */
export function locatorOf(item: TreeItem): string | undefined {
  switch (item.kind) {
    case 'view':
      return item.volume === undefined
        ? formatView(item.entry.view)
        : formatPlace(item.entry.view, item.volume.name === '' ? ':/' : item.volume.name);
    case 'volume':
      return formatPlace(item.image.view, item.partition === undefined ? ':/' : `p${item.partition.number}`);
    case 'filesystem':
      return formatLocator(item.volume.name, '/');
    case 'entry':
      return isBelowDeleted(item) ? undefined : formatLocator(item.volume.name, pathOf(item));
    default:
      return undefined;
  }
}

/** The bytes of the disk that the item starts at, where that is one place. */
export function diskStartOf(item: TreeItem): number | undefined {
  switch (item.kind) {
    case 'disk':
    case 'table':
      return 0;
    case 'view':
      return item.volume?.partition?.start ?? 0;
    case 'volume':
      return item.partition?.start ?? 0;
    case 'filesystem':
    case 'recoverables':
    case 'recoverable':
    case 'entry':
      return item.volume.partition?.start ?? 0;
    case 'region':
    case 'gap':
      return item.range.start;
    default:
      return undefined;
  }
}
