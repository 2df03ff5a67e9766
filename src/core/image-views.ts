import {
  backingLayers,
  type Container,
  type ContainerOptions,
  isContainer,
  type Snapshot,
} from './container/container.ts';
import type { BlockDevice } from './device/block-device.ts';
import { notFound, outOfRange } from './errors.ts';
import type { Image } from './image.ts';
import { formatView, type View } from './locator.ts';

/** Views of one image that may be open at once: each has caches of its own. */
const MAX_OPEN_VIEWS = 32;

/** So many names stand in an error for one that is not there. */
const MAX_NAMES_IN_ERROR = 10;

/** Another disk in the files of an image, not opened yet. */
export type ImageView =
  | { readonly kind: 'snapshot'; readonly view: View; readonly snapshot: Snapshot }
  | {
      readonly kind: 'layer';
      readonly view: View;
      readonly layer: number;
      readonly name: string;
      readonly device: BlockDevice;
    }
  | { readonly kind: 'log'; readonly view: View };

/** What the views need from whoever opened the image; an image that is opened is closed with the one that has the view. */
export interface ViewSource {
  readonly container: Container;
  /** The image's own file in another state; undefined where the container is a layer below it. */
  readonly openState: ((view: View, state: Pick<ContainerOptions, 'snapshot' | 'log'>) => Promise<Image>) | undefined;
  openLayer(view: View, container: Container, name: string): Promise<Image>;
}

/** The views of an image, each opened once, when it is first asked for. */
export class ImageViews {
  readonly #source: ViewSource;
  #listed: readonly ImageView[] | undefined;
  readonly #open = new Map<string, Promise<Image>>();

  constructor(source: ViewSource) {
    this.#source = source;
  }

  list(): readonly ImageView[] {
    this.#listed ??= this.#enumerate();
    return this.#listed;
  }

  #enumerate(): ImageView[] {
    const { container, openState } = this.#source;
    const snapshots = openState === undefined ? [] : (container.snapshots ?? []);
    const named = nameSnapshots(snapshots);
    const views: ImageView[] = snapshots.map((snapshot, index) => ({
      kind: 'snapshot',
      view: { kind: 'snapshot', snapshot: named[index]! },
      snapshot,
    }));
    let layer = 0;
    for (const { name, device } of backingLayers(container)) {
      layer++;
      views.push({ kind: 'layer', view: { kind: 'layer', layer }, layer, name, device });
    }
    if (openState !== undefined && replayedEntries(container) > 0)
      views.push({ kind: 'log', view: { kind: 'log', log: 'ignore' } });
    return views;
  }

  async open(named: View): Promise<Image> {
    const view = named.kind === 'snapshot' ? this.#snapshotView(named.snapshot) : named;
    const key = formatView(view);
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    if (this.#open.size >= MAX_OPEN_VIEWS) {
      const details = { layer: 'image', structure: key, expected: `at most ${MAX_OPEN_VIEWS} open views of an image` };
      throw outOfRange({ ...details, found: 'more' });
    }
    const opening = this.#openNew(view);
    this.#open.set(key, opening);
    // A view that failed is tried again when it is asked for again.
    opening.catch(() => this.#open.delete(key));
    return opening;
  }

  /** The one way to name a snapshot that its ID or its name tells; an ID goes before a name, as with QEMU. */
  #snapshotView(wanted: string): View {
    const snapshots = this.list().filter((each) => each.kind === 'snapshot');
    const byId = snapshots.find(({ snapshot }) => snapshot.id === wanted);
    if (byId !== undefined) return byId.view;
    const byName = snapshots.filter(({ snapshot }) => snapshot.name === wanted);
    if (byName.length === 1) return byName[0]!.view;
    // QEMU takes the first of them; whoever asks for one may mean another.
    if (byName.length > 1) {
      const ids = byName.slice(0, MAX_NAMES_IN_ERROR).map(({ snapshot }) => `snapshot=${snapshot.id}`);
      const found = `${byName.length} snapshots named ${wanted}`;
      throw notFound({ layer: 'image', structure: 'snapshot', expected: `one ID, such as ${ids.join(', ')}`, found });
    }
    const names = snapshots.slice(0, MAX_NAMES_IN_ERROR).map(({ view, snapshot }) => {
      const named = formatView(view);
      // An error escapes what it prints, and would do it twice: the ID can be pasted back as it stands.
      return named.includes('\\') ? `snapshot=${snapshot.id}` : named;
    });
    const left = snapshots.length - names.length;
    const known = snapshots.length === 0 ? 'an image that has snapshots' : `one of ${names.join(', ')}`;
    const expected = left === 0 ? known : `${known} and ${left} more`;
    throw notFound({ layer: 'image', structure: 'snapshot', expected, found: wanted });
  }

  async #openNew(view: View): Promise<Image> {
    const { openState } = this.#source;
    if (view.kind === 'layer') {
      const { container, name } = layerOf(this.#source.container, view.layer);
      return this.#source.openLayer(view, container, name);
    }
    const expected = 'a layer of it; its other states are views of its own file';
    if (openState === undefined) throw notFound({ layer: 'image', expected, found: formatView(view) });
    return openState(view, view.kind === 'snapshot' ? { snapshot: view.snapshot } : { log: view.log });
  }
}

/** The layer that many steps down; NOT_FOUND says how many there are. */
export function layerOf(container: Container, layer: number): { container: Container; name: string } {
  const below = [...backingLayers(container)];
  const found = below[layer - 1];
  if (found !== undefined && isContainer(found.device)) return { container: found.device, name: found.name };
  const count = below.length === 0 ? 'a backing layer, which this image does not have' : `layers 0 to ${below.length}`;
  throw notFound({ layer: 'image', structure: 'backing chain', expected: count, found: `layer ${layer}` });
}

/** The name of each snapshot where it is the only one of that name, else its ID, which the format keeps unique. */
function nameSnapshots(snapshots: readonly Snapshot[]): string[] {
  const uses = new Map<string, number>();
  for (const { id, name } of snapshots)
    for (const word of new Set([id, name])) uses.set(word, (uses.get(word) ?? 0) + 1);
  return snapshots.map(({ id, name }) => (name !== '' && uses.get(name) === 1 ? name : id));
}

/** Entries of a log that the container reads as if they were done. */
function replayedEntries(container: Container): number {
  const property = container.properties.find(({ key }) => key === 'logEntriesReplayed');
  return typeof property?.value === 'number' ? property.value : 0;
}
