import type { Container } from './container/container.ts';
import type { BlockDevice } from './device/block-device.ts';
import { CachedDevice } from './device/cached-device.ts';
import { FileDevice } from './device/file-device.ts';
import { RangeView } from './device/range-view.ts';
import { corrupt, unsupported } from './errors.ts';
import type { OpenContext } from './format.ts';
import { Image, type ImageParts } from './image.ts';
import { fileOptions, ImageOpener, type OpenOptions } from './image-opener.ts';
import { ImageViews, layerOf } from './image-views.ts';
import type { View } from './locator.ts';
import { openPartitionTable } from './partition/formats.ts';
import type { PartitionTable } from './partition/partition-table.ts';
import { Volume } from './volume.ts';

/** What the cache of a view holds, in bytes: a user may open many of them. */
const VIEW_CACHE_BYTES = 2 * 1024 * 1024;

export interface OpenImageOptions extends OpenOptions {
  /** The layer of the backing chain to open as the disk: 0 (the default) is the image itself, 1 what it stands on. */
  readonly layer?: number | undefined;
}

/**
 * Opens an image file read-only and reads its container and partition table; filesystems open when first asked for.
 * NOT_FOUND for a file, a snapshot or a layer that is not there; DENIED for a file that the policy keeps closed.
 */
export async function openImage(imagePath: string, options: OpenImageOptions = {}): Promise<Image> {
  return openOpened(await FileDevice.open(imagePath, fileOptions(options)), imagePath, options);
}

/**
 * The same over a device that is open already, which becomes the image's own: it is closed with it. It lies in no folder, so
 * a file that it names opens only when it is allowed by its absolute path.
 */
export function openImageOn(file: FileDevice, options: OpenImageOptions = {}): Promise<Image> {
  return openOpened(file, undefined, options);
}

async function openOpened(file: FileDevice, place: string | undefined, options: OpenImageOptions): Promise<Image> {
  await using stack = new AsyncDisposableStack();
  const opener = stack.use(new ImageOpener(file, place, options));
  requireBytes(file);
  const { snapshot, layer = 0 } = options;
  if (snapshot !== undefined && layer !== 0)
    throw unsupported({ layer: 'image', expected: 'a snapshot or a layer', found: 'both' });
  const container = await opener.openContainer(options);
  // What opening the container had to say, before partition tables and filesystems add to it.
  const notices = [...opener.diagnostics];
  const bottom = layer === 0 ? { container, name: file.path } : layerOf(container, layer);
  return stackOn(opener, bottom.container, {
    path: bottom.name,
    notices,
    views: viewsOf(opener, bottom.container, layer === 0),
    owned: stack.move(),
  });
}

/** Raw would take it for a disk without sectors, and every command would succeed with nothing. A backing file may be empty. */
export function requireBytes(file: BlockDevice): void {
  if (file.size > 0) return;
  throw corrupt({ layer: 'image', structure: 'file', offset: 0, expected: 'at least one byte', found: '0 bytes' });
}

function viewsOf(opener: ImageOpener, container: Container, isOwnFile: boolean): ImageViews {
  const { options, file } = opener;
  const nothing: AsyncDisposable = { [Symbol.asyncDispose]: async () => undefined };
  const over = async (below: Promise<Container> | Container, path: string, view: View): Promise<Image> =>
    stackOn(opener, await below, { path, view, owned: nothing });
  return new ImageViews({
    container,
    openState: isOwnFile
      ? (view, state) => over(opener.openContainer({ ...options, ...state }), file.path, view)
      : undefined,
    openLayer: (view, layer, name) => over(layer, name, view),
  });
}

type StackParts = Pick<ImageParts, 'path' | 'view' | 'notices' | 'views' | 'owned'>;

/** Cache, partition table and volumes over a container. */
async function stackOn(opener: ImageOpener, container: Container, parts: StackParts): Promise<Image> {
  const { diagnostics, references } = opener;
  const { view } = parts;
  const context = opener.contextFor(view);
  const disk = new CachedDevice(container, view === undefined ? {} : { limitBytes: VIEW_CACHE_BYTES });
  let partitionTable: PartitionTable | undefined;
  let partitionError: unknown;
  try {
    partitionTable = await openPartitionTable(disk, context);
  } catch (error) {
    partitionError = error;
  }
  // A GPT tells the disk's sectors where the image file does not: sector numbers mean the same everywhere.
  const sectorSize = partitionTable?.sectorSize ?? disk.sectorSize;
  return new Image({
    ...parts,
    container,
    disk: sectorSize === disk.sectorSize ? disk : new RangeView(disk, { start: 0, length: disk.size }, sectorSize),
    partitionTable,
    partitionError,
    volumes: volumesOf(disk, partitionTable, context, view),
    diagnostics,
    references,
  });
}

function volumesOf(disk: BlockDevice, table: PartitionTable | undefined, context: OpenContext, view?: View): Volume[] {
  if (table === undefined) return [new Volume(disk, context, undefined, view)];
  return table.partitions
    .filter((partition) => partition.kind !== 'extended')
    .map((partition) => {
      // A partition may reach past the end of a truncated image: what is there can still be read.
      const length = Math.max(0, Math.min(partition.length, disk.size - partition.start));
      const start = Math.min(partition.start, disk.size);
      return new Volume(new RangeView(disk, { start, length }, table.sectorSize), context, partition, view);
    });
}
