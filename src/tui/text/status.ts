import { formatBytes, formatView, type ImageView } from '../../core/index.ts';
import type { Segment } from '../load/hex-target.ts';
import { diskStartOf, locatorOf, type TreeItem } from '../load/tree-item.ts';
import { imageOf } from '../state/selectors.ts';
import type { TuiState } from '../state/state.ts';
import { formatOffset, formatPlace } from './format.ts';
import { itemLabel } from './item-label.ts';

/** The parts of the status line, the most important first: format and size, where the cursor is, where that is on the disk, the name. */
export function statusParts(state: TuiState): string[] {
  const { item } = state.subject;
  const { container, disk } = 'image' in item ? item.image : imageOf(state);
  const image = item.kind === 'view' ? viewSize(item.entry) : `${container.format} ${formatBytes(disk.size)}`;
  const place = state.tab === 'hex' ? bytePlace(state) : itemPlace(state, disk.sectorSize);
  return [image, ...place, nameOf(item)].filter((part) => part !== '');
}

function viewSize(entry: ImageView): string {
  if (entry.kind === 'log') return '';
  const size = entry.kind === 'layer' ? entry.device.size : entry.snapshot.virtualSize;
  return `${entry.kind} ${formatBytes(size)}`;
}

function nameOf(item: TreeItem): string {
  if (item.kind === 'note' || item.kind === 'loading' || item.kind === 'error') return '';
  const name = itemLabel(item, new Map()).text;
  if (item.kind === 'disk') return '';
  const view = 'image' in item ? item.image.view : undefined;
  // What has no locator of its own says in which of the disks it lies.
  return locatorOf(item) ?? (view === undefined ? name : `${formatView(view)}: ${name}`);
}

/** The offset in the thing in view, and the place on the disk. */
function bytePlace({ hex, subject }: TuiState): string[] {
  const { window, cursor } = hex;
  if (window === undefined || window.size === 0) return [];
  const { sectorSize } = window;
  const of = `of ${formatBytes(window.size)}`;
  const isDisk = subject.item.kind === 'disk' || subject.item.kind === 'table';
  if (isDisk) return [`${cursor} = ${formatPlace(cursor, sectorSize)} ${of}`];
  const segment = window.segments.find(({ start, length }) => cursor >= start && cursor < start + length);
  return [`${cursor} = ${formatOffset(cursor)} ${of}`, diskPlace(segment, cursor, sectorSize)];
}

function diskPlace(segment: Segment | undefined, cursor: number, sectorSize: number): string {
  if (segment === undefined) return '';
  if (segment.diskStart === undefined) return segment.note === '' ? '' : `not on the disk: ${segment.note}`;
  return `disk ${formatPlace(segment.diskStart + cursor - segment.start, sectorSize)}`;
}

/** Where a layer, a range or a file begins on the disk, and its size. */
function itemPlace({ subject: { item }, details }: TuiState, sectorSize: number): readonly string[] {
  if (item.kind === 'entry' || item.kind === 'recoverable') return details.content?.summary ?? [];
  const start = diskStartOf(item);
  if (start === undefined) return [];
  const size = sizeOf(item);
  return [formatPlace(start, sectorSize), size === undefined ? '' : formatBytes(size)];
}

function sizeOf(item: TreeItem): number | undefined {
  if (item.kind === 'volume') return item.partition?.length ?? item.volume?.device.size;
  if (item.kind === 'region' || item.kind === 'gap') return item.range.length;
  return item.kind === 'filesystem' ? item.filesystem.device.size : undefined;
}
