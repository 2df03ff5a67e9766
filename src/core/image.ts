import type { Container } from './container/container.ts';
import type { BlockDevice } from './device/block-device.ts';
import { notFound } from './errors.ts';
import type { FileNode, FileSystem } from './filesystem/filesystem.ts';
import { type ResolveOptions, resolvePath } from './filesystem/resolve-path.ts';
import type { Diagnostic } from './format.ts';
import { isFileOf, type Layer, layersOf } from './image-files.ts';
import type { ReferenceRecord } from './image-opener.ts';
import type { ImageView, ImageViews } from './image-views.ts';
import { formatPlace, formatView, type Locator, type Place, type View } from './locator.ts';
import type { Partition, PartitionTable } from './partition/partition-table.ts';
import type { Volume } from './volume.ts';

/** What a locator leads to; `image` is the image or the view that it lies in, `device` its disk or volume. */
export type Target = { readonly image: Image; readonly device: BlockDevice } & (
  | { readonly kind: 'disk' }
  | { readonly kind: 'partition'; readonly partition: Partition; readonly volume: Volume }
  | {
      readonly kind: 'node';
      readonly volume: Volume;
      readonly filesystem: FileSystem;
      readonly node: FileNode;
      readonly path: string;
      /** Whether it is deleted, or lies below a directory that is. */
      readonly deleted: boolean;
    }
);

/**
 * An open image, or a view of one: the stack from the file to the volumes. Disposing it closes every layer, the topmost
 * first, and its views; a view is closed with its image.
 */
export class Image implements AsyncDisposable {
  readonly path: string;
  /** Which of the disks in the opened image this is; undefined for the one that the image presents. */
  readonly view: View | undefined;
  readonly container: Container;
  /** The virtual disk, with a cache in front. */
  readonly disk: BlockDevice;
  readonly partitionTable: PartitionTable | undefined;
  /** Why the partition table could not be read, if it could not; the disk can be browsed all the same. */
  readonly partitionError: unknown;
  readonly volumes: readonly Volume[];
  /** What was odd but readable, in the order it was met; grows as filesystems are opened. */
  readonly diagnostics: readonly Diagnostic[];
  /** Those of the container itself: an unclean end, a log that was replayed. Whoever looks at the disk should know. */
  readonly notices: readonly Diagnostic[];
  /** The files that the image and its layers name, opened or refused. */
  readonly references: readonly ReferenceRecord[];
  readonly #views: ImageViews | undefined;
  readonly #owned: AsyncDisposable;

  constructor(parts: ImageParts) {
    this.path = parts.path;
    this.view = parts.view;
    this.container = parts.container;
    this.disk = parts.disk;
    this.partitionTable = parts.partitionTable;
    this.partitionError = parts.partitionError;
    this.volumes = parts.volumes;
    this.diagnostics = parts.diagnostics;
    this.notices = parts.notices ?? [];
    this.references = parts.references ?? [];
    this.#views = parts.views;
    this.#owned = parts.owned;
  }

  /** The image and the layers below it, outermost first. */
  get layers(): readonly Layer[] {
    return layersOf(this.path, this.container);
  }

  /** Whether a path leads to one of the files that the image is made of. */
  hasFile(path: string): Promise<boolean> {
    return isFileOf(this.container, this.references, path);
  }

  /** The other disks in the image's files: its snapshots, its layers, the state before its log; nothing is read for it. */
  get views(): readonly ImageView[] {
    return this.#views?.list() ?? [];
  }

  /** One of them as an image of its own, opened at the first call; closed with this one. NOT_FOUND when there is none. */
  async openView(view: View): Promise<Image> {
    if (view.kind === 'layer' && view.layer === 0) return this;
    if (this.#views !== undefined) return this.#views.open(view);
    const found = `${formatView(view)} in ${this.view === undefined ? 'this image' : formatView(this.view)}`;
    throw notFound({ layer: 'locator', expected: 'a view of the image itself', found });
  }

  /** The volume of that partition number; `bare` is the disk itself. */
  volume(partition: number | 'bare'): Volume {
    const found = this.volumes.find((volume) => (volume.partition?.number ?? 'bare') === partition);
    if (found !== undefined) return found;
    const known = this.volumes.map(({ name, partition: found }) =>
      found === undefined ? 'the disk without a partition (":/")' : name,
    );
    throw notFound({
      layer: 'locator',
      expected: known.length === 0 ? 'a partition, but the table is empty' : `one of ${known.join(', ')}`,
      found: formatPlace(this.view, partition === 'bare' ? ':' : `p${partition}`),
    });
  }

  /** Follows a locator to a device or a node. */
  async resolve(locator: Locator, options: ResolveOptions = {}): Promise<Target> {
    const image = locator.view === undefined ? this : await this.openView(locator.view);
    return image.#resolvePlace(locator, options);
  }

  async #resolvePlace(place: Place, options: ResolveOptions): Promise<Target> {
    if (place.kind === 'disk') return { kind: 'disk', image: this, device: this.disk };
    if (place.kind === 'partition') {
      const volume = this.volume(place.partition);
      return { kind: 'partition', image: this, device: volume.device, partition: volume.partition!, volume };
    }
    const volume = place.partition === 'only' ? await this.#onlyVolume() : this.volume(place.partition);
    const filesystem = await volume.filesystem();
    if (filesystem === undefined) {
      throw notFound({
        layer: 'filesystem',
        structure: volume.partition === undefined ? formatPlace(this.view, 'disk') : volume.name,
        expected: 'a filesystem',
        found: (await volume.content()) ?? 'nothing recognized',
      });
    }
    return {
      kind: 'node',
      image: this,
      device: volume.device,
      volume,
      filesystem,
      ...(await resolvePath(filesystem, place.path, options)),
    };
  }

  async #onlyVolume(): Promise<Volume> {
    const mounted: Volume[] = [];
    const failures: unknown[] = [];
    for (const volume of this.volumes) {
      try {
        if ((await volume.filesystem()) !== undefined) mounted.push(volume);
      } catch (error) {
        failures.push(error);
      }
    }
    if (mounted.length === 1) return mounted[0]!;
    if (mounted.length === 0 && failures.length > 0) throw failures[0];
    throw notFound({
      layer: 'locator',
      expected: 'a single filesystem for a path without a partition',
      found:
        mounted.length === 0
          ? 'none'
          : `${mounted.length}: write ${mounted.map((volume) => `${volume.name}:/...`).join(' or ')}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

export interface ImageParts {
  readonly path: string;
  readonly view?: View | undefined;
  readonly container: Container;
  readonly disk: BlockDevice;
  readonly partitionTable: PartitionTable | undefined;
  readonly partitionError: unknown;
  readonly volumes: readonly Volume[];
  readonly diagnostics: readonly Diagnostic[];
  readonly notices?: readonly Diagnostic[];
  readonly references?: readonly ReferenceRecord[];
  readonly views?: ImageViews | undefined;
  /** What is closed with the image. */
  readonly owned: AsyncDisposable;
}
