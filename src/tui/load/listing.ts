import {
  type Directory,
  type DirectoryEntry,
  errorText,
  escapeText,
  type FileSystem,
  withKind,
} from '../../core/index.ts';
import { inNameOrder, type Ranked, ranked } from '../text/name-order.ts';
import type { EntryItem, TreeItem } from './tree-item.ts';

/** A directory is listed as far as this many entries; the row after them says so. */
export const MAX_LISTED_ENTRIES = 250_000;
/** Entries whose directory does not tell their kind are looked up as far as this many; each costs a node. */
const MAX_KIND_LOOKUPS = 5_000;

export interface ListingPlace {
  readonly volume: EntryItem['volume'];
  readonly filesystem: FileSystem;
  /** The directory's own item; undefined for the root. */
  readonly parent: EntryItem | undefined;
}

/** The entries of a directory as items: directories first, then by name without regard to case; sorted and escaped once. */
export async function listDirectory(
  place: ListingPlace,
  directory: Directory,
  showDeleted: boolean,
  signal: AbortSignal,
): Promise<TreeItem[]> {
  const sortable: (Ranked & { readonly item: EntryItem })[] = [];
  let lookups = 0;
  let failure: unknown;
  let isCut = false;
  // Below a deleted directory all is deleted, whatever its entries say.
  const isDeleted = place.parent?.deleted === true;
  try {
    for await (const found of directory.entries({ signal, deleted: showDeleted || isDeleted })) {
      if (sortable.length >= MAX_LISTED_ENTRIES) {
        isCut = true;
        break;
      }
      const isLookedUp = found.kind === 'unknown' && lookups++ < MAX_KIND_LOOKUPS;
      const entry = isLookedUp ? await kindOrUnknown(place.filesystem, found, signal) : found;
      sortable.push({
        item: entryItem(place, isDeleted ? { ...entry, deleted: true } : entry),
        ...ranked(entry.name, entry.kind === 'directory'),
      });
    }
  } catch (error) {
    signal.throwIfAborted();
    // What was read before the damage is shown, and the damage below it.
    failure = error;
  }
  sortable.sort(inNameOrder);
  const items: TreeItem[] = sortable.map(({ item }) => item);
  if (isCut) items.push({ kind: 'note', text: `only the first ${MAX_LISTED_ENTRIES} entries are listed` });
  if (failure !== undefined) items.push(errorItem(failure));
  if (items.length === 0) items.push({ kind: 'note', text: '(empty)' });
  return items;
}

function entryItem({ volume, filesystem, parent }: ListingPlace, entry: DirectoryEntry): EntryItem {
  const { name, nodeId, kind, deleted } = entry;
  const label = escapeText(name);
  return {
    kind: 'entry',
    volume,
    filesystem,
    parent,
    name,
    // Most names need no escape: one string serves as both.
    label: label === name ? name : label,
    nodeId,
    entryKind: kind,
    deleted,
  };
}

/** An entry whose node cannot be read stays of unknown kind: opening it tells why. */
async function kindOrUnknown(
  filesystem: FileSystem,
  entry: DirectoryEntry,
  signal: AbortSignal,
): Promise<DirectoryEntry> {
  try {
    return await withKind(filesystem, entry, { signal });
  } catch {
    signal.throwIfAborted();
    return entry;
  }
}

export function errorItem(error: unknown): TreeItem {
  return { kind: 'error', text: errorText(error) };
}
