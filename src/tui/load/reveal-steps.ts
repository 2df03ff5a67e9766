import { DiskError, formatLocator, formatView, type Image, parseLocator } from '../../core/index.ts';
import { isMatched, type Match } from '../state/search.ts';
import type { RevealStep } from '../state/tree.ts';
import { diskChildren, loadChildren } from './children.ts';
import { keyOf, type TreeItem } from './tree-item.ts';

export interface RevealTarget {
  readonly locator: string;
  readonly match: Match | undefined;
  readonly showDeleted: boolean;
}

/**
 * The way down the tree to the place that a locator names, with the children of every level on it.
 * Rejects with the DiskError of the locator, the filesystem or the path.
 */
export async function revealSteps(
  image: Image,
  { locator: text, match, showDeleted }: RevealTarget,
  signal: AbortSignal,
): Promise<RevealStep[]> {
  const locator = parseLocator(text.trim());
  const mayBeDeleted = match?.deletedId !== undefined;
  const target = await image.resolve(locator, { signal, deleted: mayBeDeleted });
  const steps: RevealStep[] = [];
  const into = async (parent: TreeItem, children: readonly TreeItem[], key: string): Promise<TreeItem> => {
    signal.throwIfAborted();
    const child = children.find((item) => keyOf(item) === key);
    if (child === undefined) throw missing(text, parent);
    steps.push({ key, children });
    return child;
  };
  const childrenOf = (item: TreeItem): Promise<readonly TreeItem[]> => loadChildren(item, { showDeleted }, signal);

  let here: TreeItem = { kind: 'disk', image };
  let children: readonly TreeItem[] = diskChildren(image);
  const { view } = target.image;
  // The state before the replay of a journal is a row of its volume, unless the image has a log of its own.
  const isOfVolume = view?.kind === 'log' && !image.views.some(({ kind }) => kind === 'log');
  if (isOfVolume && target.kind === 'disk') return steps;
  if (view !== undefined && !isOfVolume) {
    if (view.kind !== 'log') {
      here = await into(here, children, `views ${view.kind}`);
      children = await childrenOf(here);
    }
    here = await into(here, children, `view ${formatView(view)}`);
    if (target.kind === 'disk') return steps;
    children = await childrenOf(here);
  }
  if (target.kind === 'disk') return steps;
  if (target.image.partitionTable !== undefined) {
    here = await into(here, children, 'table');
    children = await childrenOf(here);
  }
  const partition = target.kind === 'partition' ? target.partition : target.volume.partition;
  here = await into(here, children, `volume ${partition?.number ?? 'bare'}`);
  if (isOfVolume) here = await into(here, await childrenOf(here), `view ${formatView(view)}`);
  if (target.kind === 'partition') return steps;
  here = await into(here, await childrenOf(here), 'filesystem');
  for (const name of target.path.split('/').filter((part) => part !== '')) {
    children = await childrenOf(here);
    const named = children.filter((item) => item.kind === 'entry' && item.name === name);
    const child = named.find((item) => isLive(item)) ?? (mayBeDeleted ? named[0] : undefined);
    if (child === undefined) throw missing(formatLocator(target.volume.name, target.path), here);
    here = await into(here, children, keyOf(child));
  }
  if (match?.deletedId === undefined) return steps;
  // No path leads to a deleted entry: it is the one of its directory that the search saw.
  children = await childrenOf(here);
  const deleted = children.find((item) => isMatched(item, match));
  if (deleted === undefined) throw missing(formatLocator(target.volume.name, match.path), here);
  await into(here, children, keyOf(deleted));
  return steps;
}

function isLive(item: TreeItem): boolean {
  return item.kind === 'entry' && !item.deleted;
}

/** Only past the limit of a listing: the path itself was resolved. */
function missing(place: string, parent: TreeItem): DiskError {
  const names = parent.kind === 'entry' ? ` in ${parent.label}` : '';
  return new DiskError('NOT_FOUND', { layer: 'tree', structure: place, found: `no row for it${names}` });
}
