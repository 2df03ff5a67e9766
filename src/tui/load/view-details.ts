import {
  type Diagnostic,
  escapeText,
  escapeUnprintable,
  FileDevice,
  formatExactBytes,
  formatView,
  hasValue,
  type Image,
  type ImageView,
  isContainer,
} from '../../core/index.ts';
import { formatProperty, formatTime } from '../text/format.ts';
import type { Details, Fact, Section } from './facts.ts';

/** Views that one page lists. */
const MAX_LISTED = 200;

/** What is known of another disk in the image before it is opened. */
export function viewDetails(entry: ImageView): Details {
  const locator: Fact = ['locator', formatView(entry.view)];
  switch (entry.kind) {
    case 'snapshot': {
      const { id, name, virtualSize, vmStateSize } = entry.snapshot;
      const facts: Fact[] = [
        ['name', escapeText(name)],
        ['ID', escapeText(id)],
        ['date', snapshotTime(entry.snapshot.date)],
        ['virtual size', formatExactBytes(virtualSize)],
        ['VM state', vmStateSize === 0 ? 'none' : formatExactBytes(vmStateSize)],
        locator,
      ];
      return { sections: [{ title: 'Snapshot', facts }] };
    }
    case 'layer': {
      const { device, name, layer } = entry;
      const known: Fact[] = isContainer(device) ? containerFacts(device) : [];
      const facts: Fact[] = [
        ['name', escapeText(name)],
        ['depth', String(layer)],
        ['virtual size', formatExactBytes(device.size)],
        ...known,
        locator,
      ];
      return { sections: [{ title: 'Backing layer', facts }] };
    }
    case 'log': {
      const shows = 'the disk as the file stands, before the updates that are only in its log';
      return { sections: [{ title: 'Before log replay', facts: [['shows', shows], locator] }] };
    }
  }
}

function containerFacts({ format, file, properties }: Image['container']): Fact[] {
  // A layer that was left out has neither.
  const place: Fact[] =
    file instanceof FileDevice
      ? [
          ['format', format],
          ['path', escapeText(file.path)],
        ]
      : [];
  return [...place, ['file size', formatExactBytes(file.size)], ...properties.filter(hasValue).map(formatProperty)];
}

/** Milliseconds since 1970 as snapshots have them. */
function snapshotTime(date: number): string {
  const seconds = Math.floor(date / 1000);
  return formatTime({ seconds, nanoseconds: (date - seconds * 1000) * 1_000_000, zone: 'utc' });
}

/** The snapshots or the layers of an image in a list. */
export function viewsDetails(image: Image, of: 'snapshot' | 'layer'): Details {
  const entries = image.views.filter(({ kind }) => kind === of);
  const facts = entries.slice(0, MAX_LISTED).map((entry): Fact => {
    if (entry.kind === 'layer') return [String(entry.layer), escapeText(entry.name)];
    if (entry.kind === 'log') return ['log', ''];
    const { id, name, date } = entry.snapshot;
    return [escapeText(id), `${snapshotTime(date).slice(0, 19)} UTC  ${escapeText(name)}`];
  });
  if (entries.length > MAX_LISTED) facts.push(['…', `${entries.length - MAX_LISTED} more`]);
  const title = of === 'snapshot' ? 'Snapshots' : 'Layers below the image';
  return { sections: [{ title, facts }] };
}

/** What is odd in the container itself: nobody should look at the disk without knowing. */
export function noticeFacts({ notices }: Image): Fact[] {
  return notices.map((notice): Fact => ['warning', noticeText(notice)]);
}

/** What is odd, and in which layer when it is not the image itself. */
export function noticeText({ message, view }: Diagnostic): string {
  return escapeUnprintable(view === undefined ? message : `${view}: ${message}`);
}

/** The files that the image names, and what became of them. */
export function referenceSections({ references }: Image): Section[] {
  if (references.length === 0) return [];
  const facts = references.map(({ kind, name, path, rule, opened }): Fact => {
    const found = path === undefined ? '' : ` = ${escapeText(path)}`;
    return [kind, `${escapeText(name)}${found}: ${opened ? 'opened' : 'not opened'}, ${escapeUnprintable(rule)}`];
  });
  return [{ title: 'Files that the image names', facts }];
}
