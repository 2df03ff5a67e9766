import {
  errorText,
  escapeText,
  formatBytes,
  formatCount,
  type Progress,
  type RecoverableFile,
  takeTurn,
} from '../../core/index.ts';
import { pace } from './pace.ts';
import type { RecoverableItem, TreeItem } from './tree-item.ts';

/** The files that one row lists: what each knows of its place is kept with it. */
export const MAX_RECOVERABLES = 50_000;

export interface Arrived {
  readonly items: readonly TreeItem[];
  readonly progress: string;
}

/** Looks for the files of a filesystem that can be recovered; told in parts while it goes on, and the last part given. */
export async function findRecoverables(
  { volume, filesystem }: Pick<RecoverableItem, 'volume' | 'filesystem'>,
  tell: (part: Arrived) => void,
  signal: AbortSignal,
): Promise<TreeItem[]> {
  const isTime = pace();
  let items: TreeItem[] = [];
  let count = 0;
  let place = '';
  const tellSome = (): void => {
    if (!isTime()) return;
    tell({ items, progress: `${place === '' ? 'searching' : place}, ${formatCount(count)} found; Esc stops` });
    items = [];
  };
  const onProgress = ({ done, total }: Progress): void => {
    place = `searched ${share(done, total)}`;
    tellSome();
  };
  try {
    for await (const file of filesystem.recoverable({ signal, onProgress })) {
      signal.throwIfAborted();
      await takeTurn();
      if (count >= MAX_RECOVERABLES) {
        items.push({ kind: 'note', text: `only the first ${formatCount(MAX_RECOVERABLES)} are listed` });
        return items;
      }
      count += 1;
      items.push({ kind: 'recoverable', volume, filesystem, file, label: labelOf(file) });
      tellSome();
    }
  } catch (error) {
    signal.throwIfAborted();
    // What was found before the damage is shown, and the damage below it.
    items.push({ kind: 'error', text: errorText(error) });
  }
  if (count === 0 && items.length === 0) items.push({ kind: 'note', text: '(none)' });
  return items;
}

function labelOf({ path, key }: RecoverableFile): string {
  return path === undefined || path === '' ? key : escapeText(path);
}

/** `12 MiB of 40 MiB`, or without a total what is done. */
export function share(done: number, total: number): string {
  return total > 0 ? `${formatBytes(done)} of ${formatBytes(total)}` : formatBytes(done);
}

/** The root and label that a filesystem goes by in a report: `p2`, or the disk. */
export function volumeName(name: string): string {
  return name === '' ? 'the disk' : name;
}
