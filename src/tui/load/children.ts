import {
  errorText,
  type FileNode,
  type Image,
  type ImageView,
  type LayoutRow,
  layoutRows,
  type Volume,
} from '../../core/index.ts';
import { listDirectory } from './listing.ts';
import { nodeOf } from './node-of.ts';
import type { TreeItem } from './tree-item.ts';

const NO_ABORT = new AbortController().signal;

const BEFORE_REPLAY: ImageView = { kind: 'log', view: { kind: 'log', log: 'ignore' } };

export interface ListingOptions {
  readonly showDeleted: boolean;
}

/** What stands below an image, or below a view of one; nothing is read for it. */
export function diskChildren(image: Image): TreeItem[] {
  const items: TreeItem[] = [];
  const isInSameFile = image.view !== undefined && image.view.kind !== 'layer';
  if (image.container.format !== 'raw' && !isInSameFile) items.push({ kind: 'host-file', image });
  if (image.partitionError !== undefined) items.push({ kind: 'error', text: errorText(image.partitionError) });
  if (image.partitionTable !== undefined) items.push({ kind: 'table', image, table: image.partitionTable });
  else for (const volume of image.volumes) items.push({ kind: 'volume', image, volume, partition: undefined });
  for (const of of ['snapshot', 'layer'] as const)
    if (image.views.some(({ kind }) => kind === of)) items.push({ kind: 'views', image, of });
  for (const entry of image.views) if (entry.kind === 'log') items.push({ kind: 'view', image, entry });
  return items;
}

function viewItems(image: Image, of: 'snapshot' | 'layer'): TreeItem[] {
  return image.views.filter(({ kind }) => kind === of).map((entry) => ({ kind: 'view', image, entry }));
}

function layoutItem(image: Image, row: LayoutRow): TreeItem {
  if (row.kind === 'gap') return { kind: 'gap', image, range: row };
  if (row.kind === 'metadata') return { kind: 'region', image, name: row.name, range: row };
  const volume = image.volumes.find(({ partition }) => partition === row.partition);
  return { kind: 'volume', image, volume, partition: row.partition };
}

/** The children of an item that is opened; what fails is a row of its own, never an exception (but for an abort). */
export async function loadChildren(
  item: TreeItem,
  { showDeleted }: ListingOptions,
  signal: AbortSignal = NO_ABORT,
): Promise<readonly TreeItem[]> {
  try {
    switch (item.kind) {
      case 'disk':
        return diskChildren(item.image);
      case 'views':
        return viewItems(item.image, item.of);
      case 'view':
        return await viewChildren(await item.image.openView(item.entry.view), item.volume);
      case 'table':
        return layoutRows(item.table, item.image.disk.size).map((row) => layoutItem(item.image, row));
      case 'volume':
        return item.volume === undefined ? [] : await volumeChildren(item.image, item.volume);
      case 'filesystem': {
        const root = await item.filesystem.node(item.filesystem.rootId, { signal });
        return await directoryChildren({ ...item, parent: undefined }, root, showDeleted, signal);
      }
      case 'entry': {
        return await directoryChildren({ ...item, parent: item }, await nodeOf(item, signal), showDeleted, signal);
      }
      default:
        return [];
    }
  } catch (error) {
    signal.throwIfAborted();
    return [{ kind: 'error', text: errorText(error) }];
  }
}

/** What the view has in place of `volume` of the image itself; without one, all of it. */
async function viewChildren(view: Image, volume: Volume | undefined): Promise<TreeItem[]> {
  if (volume === undefined) return diskChildren(view);
  return volumeChildren(view, view.volume(volume.partition?.number ?? 'bare'));
}

async function volumeChildren(image: Image, volume: Volume): Promise<TreeItem[]> {
  const filesystem = await volume.filesystem();
  if (filesystem !== undefined) {
    const here: TreeItem[] = [
      { kind: 'filesystem', volume, filesystem },
      { kind: 'recoverables', volume, filesystem },
    ];
    const isReplayed = (filesystem.replayedTransactions ?? 0) > 0 && image.view === undefined;
    return isReplayed ? [...here, { kind: 'view', image, entry: BEFORE_REPLAY, volume }] : here;
  }
  const content = await volume.content();
  return [{ kind: 'note', text: content === undefined ? 'no filesystem recognized' : `${content}: not browsable` }];
}

async function directoryChildren(
  place: Parameters<typeof listDirectory>[0],
  node: FileNode,
  showDeleted: boolean,
  signal: AbortSignal,
): Promise<TreeItem[]> {
  if (node.kind !== 'directory') return [{ kind: 'note', text: `not a directory but a ${node.kind}` }];
  const { volume, filesystem, parent } = place;
  return listDirectory({ volume, filesystem, parent }, node, showDeleted, signal);
}

/** What a volume holds, in a word or two for its row; an error when it is damaged. */
export async function volumeContent(volume: Volume): Promise<string> {
  try {
    const filesystem = await volume.filesystem();
    if (filesystem !== undefined) return filesystem.type;
    return (await volume.content()) ?? '';
  } catch {
    return 'damaged';
  }
}
