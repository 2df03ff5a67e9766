import {
  type BlockDevice,
  type Certainty,
  escapeText,
  formatBytes,
  type ImageView,
  isContainer,
} from '../../core/index.ts';
import type { EntryItem, TreeItem } from '../load/tree-item.ts';
import type { Role } from '../theme.ts';
import { formatDay } from './format.ts';

export interface ItemLabel {
  readonly text: string;
  /** A second fact, shown dim where there is room. */
  readonly note: string;
  readonly role: Role;
  /** Of the note, where it is more than a second fact. */
  readonly noteRole?: Role;
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
    case 'recoverables':
      return { text: 'recoverable files', note: '', role: 'structure' };
    case 'recoverable': {
      const { certainty, node } = item.file;
      const role = certainty === 'lost' ? 'deleted' : 'file';
      const text = node.kind === 'directory' ? `${item.label}/` : item.label;
      return { text, note: certainty, role, noteRole: CERTAINTY_ROLES[certainty] };
    }
    case 'note':
      return { text: item.text, note: '', role: 'dim' };
    case 'loading':
      return { text: item.progress ?? 'loading…', note: '', role: 'dim' };
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
        note: layerNote(entry.device),
        role: 'structure',
      };
    case 'log':
      return { text: 'before log replay', note: 'as is', role: 'structure' };
  }
}

/** One that was left out has no format of its own: it stands for a file that was not looked at. */
function layerNote(device: BlockDevice): string {
  if (!isContainer(device)) return 'raw';
  return device.properties.some(({ key }) => key === 'leftOut') ? 'left out' : device.format;
}

function volumeLabel(item: Extract<TreeItem, { kind: 'volume' }>, contents: ReadonlyMap<string, string>): ItemLabel {
  const { partition, volume } = item;
  const content = contents.get(volume?.name ?? '-');
  if (partition === undefined) return { text: 'whole disk', note: content || 'no table', role: 'structure' };
  const name = partition.name === '' ? '' : ` ${escapeText(partition.name)}`;
  const what = content || (partition.type.name === '' ? partition.type.id : partition.type.name);
  return { text: `p${partition.number}${name}`, note: `${what}, ${formatBytes(partition.length)}`, role: 'structure' };
}

export const CERTAINTY_ROLES: Readonly<Record<Certainty, Role>> = {
  intact: 'intact',
  likely: 'likely',
  damaged: 'warning',
  lost: 'dim',
};

/** What tells a deleted entry where neither its look nor its note does. */
const DELETED_SIGN = '✗ ';

function entryText(item: EntryItem): string {
  const name = item.entryKind === 'directory' ? `${item.label}/` : item.label;
  return item.deleted ? `${DELETED_SIGN}${name}` : name;
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
