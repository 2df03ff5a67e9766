import { escapeText, formatBytes, type ImageView, isContainer } from '../../core/index.ts';
import type { EntryItem, TreeItem } from '../load/tree-item.ts';
import type { Role } from '../theme.ts';
import { formatDay } from './format.ts';

export interface ItemLabel {
  readonly text: string;
  /** A second fact, shown dim where there is room. */
  readonly note: string;
  readonly role: Role;
}

/** What the tree says of an item. `contents` holds what is known of each volume by its name. */
export function itemLabel(item: TreeItem, contents: ReadonlyMap<string, string>): ItemLabel {
  switch (item.kind) {
    case 'disk':
      return {
        text: baseName(item.image.path),
        note: `${item.image.container.format}, ${formatBytes(item.image.disk.size)}`,
        role: 'structure',
      };
    case 'host-file':
      return { text: 'image file', note: formatBytes(item.image.container.file.size), role: 'plain' };
    case 'views': {
      const count = item.image.views.filter(({ kind }) => kind === item.of).length;
      return { text: item.of === 'snapshot' ? 'snapshots' : 'layers', note: String(count), role: 'structure' };
    }
    case 'view':
      return viewLabel(item.entry);
    case 'table':
      return { text: `${schemeName(item.table.scheme)} partition table`, note: '', role: 'structure' };
    case 'volume':
      return volumeLabel(item, contents);
    case 'region':
      return { text: escapeText(item.name), note: formatBytes(item.range.length), role: 'dim' };
    case 'gap':
      return { text: 'unallocated', note: formatBytes(item.range.length), role: 'dim' };
    case 'filesystem':
      return { text: item.filesystem.type, note: escapeText(item.filesystem.label), role: 'structure' };
    case 'entry':
      return { text: entryText(item), note: item.deleted ? 'deleted' : '', role: entryRole(item) };
    case 'note':
      return { text: item.text, note: '', role: 'dim' };
    case 'loading':
      return { text: 'loading…', note: '', role: 'dim' };
    case 'error':
      return { text: item.text, note: '', role: 'error' };
  }
}

function viewLabel(entry: ImageView): ItemLabel {
  switch (entry.kind) {
    case 'snapshot': {
      const { id, name, date } = entry.snapshot;
      return {
        text: name === '' ? `ID ${escapeText(id)}` : escapeText(name),
        note: formatDay(date),
        role: 'structure',
      };
    }
    case 'layer':
      return {
        text: `${entry.layer} ${baseName(entry.name)}`,
        note: isContainer(entry.device) ? entry.device.format : 'raw',
        role: 'structure',
      };
    case 'log':
      return { text: 'before log replay', note: 'as the file stands', role: 'structure' };
  }
}

function volumeLabel(item: Extract<TreeItem, { kind: 'volume' }>, contents: ReadonlyMap<string, string>): ItemLabel {
  const { partition, volume } = item;
  const content = contents.get(volume?.name ?? '-');
  if (partition === undefined) return { text: 'whole disk', note: content || 'no table', role: 'structure' };
  const name = partition.name === '' ? '' : ` ${escapeText(partition.name)}`;
  const what = content || (partition.type.name === '' ? partition.type.id : partition.type.name);
  return { text: `p${partition.number}${name}`, note: `${what}, ${formatBytes(partition.length)}`, role: 'structure' };
}

function entryText(item: EntryItem): string {
  return item.entryKind === 'directory' ? `${item.label}/` : item.label;
}

function entryRole(item: EntryItem): Role {
  if (item.deleted) return 'deleted';
  if (item.entryKind === 'directory') return 'directory';
  if (item.entryKind === 'symlink') return 'link';
  return item.entryKind === 'file' || item.entryKind === 'unknown' ? 'file' : 'special';
}

export function schemeName(scheme: string): string {
  return scheme === 'hybrid' ? 'GPT (hybrid MBR)' : scheme.toUpperCase();
}

/** The last part of a path of this machine, or of a name inside an image: safe for a terminal. */
export function baseName(path: string): string {
  return escapeText(path.split(/[/\\]/).at(-1) ?? path);
}
