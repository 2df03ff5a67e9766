import type { Directory, ExtendedAttribute, Extent, FileNode, NodeTimes, RegularFile } from '../../core/index.ts';
import {
  aclOf,
  aclText,
  decodeName,
  errorText,
  escapeText,
  formatBytes,
  formatCount,
  formatExactBytes,
  textOrHex,
} from '../../core/index.ts';
import { formatModeBits, formatOffset, formatPlace, formatTime } from '../text/format.ts';
import { deletedPlace, recoverableSection } from './deleted-details.ts';
import type { Details, Fact, Section } from './facts.ts';
import { nodeOf } from './node-of.ts';
import { type FileItem, locatorOf } from './tree-item.ts';

/** Extents shown; the rest are counted as far as the limit after it goes. */
const MAX_SHOWN_EXTENTS = 12;
const MAX_COUNTED_EXTENTS = 10_000;
/** Attribute values are shown as far as this many bytes. */
const MAX_SHOWN_VALUE_BYTES = 64;
const MAX_SHOWN_ATTRIBUTES = 64;
const MAX_SHOWN_ACL_ENTRIES = 64;

/** Everything about a file, directory, link or special file; of one that is not there any more, what is left. */
export async function fileDetails(item: FileItem, signal: AbortSignal): Promise<Details> {
  if (item.kind === 'recoverable') return nodeDetails(item, item.file.node, [recoverableSection(item)], signal);
  if (!item.deleted) return nodeDetails(item, await nodeOf(item, signal), [], signal);
  const { section, node } = await deletedPlace(item, signal);
  return node === undefined ? { sections: [section] } : nodeDetails(item, node, [section], signal);
}

async function nodeDetails(
  item: FileItem,
  node: FileNode,
  before: readonly Section[],
  signal: AbortSignal,
): Promise<Details> {
  const base = item.volume.partition?.start ?? 0;
  const sectorSize = item.filesystem.device.sectorSize;
  const sections: Section[] = [
    ...before,
    { title: node.kind === 'file' ? 'File' : capitalized(node.kind), facts: await nodeFacts(item, node, signal) },
    { title: 'Times', facts: timeFacts(node.times) },
  ];
  if (node.kind === 'file' || node.kind === 'directory')
    sections.push(await guarded('Extents', () => extentSection(node, base, sectorSize, signal)));
  const attributes = await guarded('Extended attributes', async () =>
    attributeSection(await node.attributes({ signal })),
  );
  const summary = [formatBytes(node.size), await beginning(node, base, sectorSize, signal)];
  return { sections: [...sections, attributes].filter(({ facts }) => facts.length > 0), summary };
}

/** Where the first byte of a file or directory lies on the disk; empty when it lies nowhere. */
async function beginning(node: FileNode, base: number, sectorSize: number, signal: AbortSignal): Promise<string> {
  if ((node.kind !== 'file' && node.kind !== 'directory') || node.size === 0) return '';
  try {
    for await (const extent of node.extents({ start: 0, length: 1 }, { signal })) {
      if (extent.kind === 'data') return `begins at disk ${formatPlace(base + extent.sourceOffset, sectorSize)}`;
    }
  } catch {
    signal.throwIfAborted();
    // The section on extents tells the error.
  }
  return '';
}

/** A part of a damaged node that cannot be read does not hide the parts that can. */
async function guarded(title: string, load: () => Promise<Section>): Promise<Section> {
  try {
    return await load();
  } catch (error) {
    return { title, facts: [['error', errorText(error)]] };
  }
}

async function nodeFacts(item: FileItem, node: FileNode, signal: AbortSignal): Promise<Fact[]> {
  const base = item.volume.partition?.start ?? 0;
  const isDeleted = item.kind === 'recoverable' || item.deleted;
  const facts: Fact[] = isDeleted ? [] : [['name', item.label]];
  if (!isDeleted) facts.push(['locator', locatorOf(item) ?? 'none: its directory is deleted']);
  facts.push([node.mode === undefined ? 'id' : 'inode', String(node.id)]);
  facts.push(['size', formatExactBytes(node.size)]);
  facts.push(['on disk', formatExactBytes(node.allocated)]);
  if (node.mode !== undefined) facts.push(['mode', formatModeBits(node.mode, node.kind)]);
  if (node.uid !== undefined) facts.push(['owner', `uid ${node.uid}, gid ${node.gid ?? '?'}`]);
  if (node.projectId !== undefined) facts.push(['project', String(node.projectId)]);
  if (node.linkCount !== undefined) facts.push(['links', String(node.linkCount)]);
  if (node.flags.length > 0) facts.push(['flags', node.flags.map(escapeText).join(', ')]);
  if (isDeleted || node.deleted) facts.push(['deleted', 'yes']);
  if (node.kind === 'symlink') facts.push(['target', await targetOf(node, signal)]);
  if ('device' in node && node.device !== undefined)
    facts.push(['device', `major ${node.device.major}, minor ${node.device.minor}`]);
  const { start, length } = node.location;
  if (length > 0)
    facts.push(['stored at', `disk ${formatOffset(base + start)}, ${length} bytes (the node's own structure)`]);
  return facts;
}

async function targetOf(node: Extract<FileNode, { kind: 'symlink' }>, signal: AbortSignal): Promise<string> {
  try {
    return escapeText(await node.target({ signal }));
  } catch (error) {
    return errorText(error);
  }
}

function timeFacts(times: NodeTimes): Fact[] {
  const named = [
    ['modified', times.modified],
    ['accessed', times.accessed],
    ['changed', times.changed],
    ['created', times.created],
    ['deleted', times.deleted],
  ] as const;
  return named.flatMap(([label, time]) => (time === undefined ? [] : [[label, formatTime(time)] as const]));
}

async function extentSection(
  node: RegularFile | Directory,
  base: number,
  sectorSize: number,
  signal: AbortSignal,
): Promise<Section> {
  const facts: Fact[] = [];
  let count = 0;
  if (node.size > 0) {
    for await (const extent of node.extents({ start: 0, length: node.size }, { signal })) {
      if (count < MAX_SHOWN_EXTENTS) facts.push([formatOffset(extent.start), extentText(extent, base, sectorSize)]);
      count += 1;
      if (count >= MAX_COUNTED_EXTENTS) break;
    }
  }
  if (count > MAX_SHOWN_EXTENTS) {
    const more =
      count >= MAX_COUNTED_EXTENTS
        ? `at least ${formatCount(count - MAX_SHOWN_EXTENTS)}`
        : formatCount(count - MAX_SHOWN_EXTENTS);
    facts.push(['…', `${more} more`]);
  }
  return { title: count === 1 ? 'Extent' : `Extents${count === 0 ? '' : ` (${formatCount(count)})`}`, facts };
}

function extentText(extent: Extent, base: number, sectorSize: number): string {
  const size = formatBytes(extent.length);
  switch (extent.kind) {
    case 'data':
      return `${size} at disk ${formatPlace(base + extent.sourceOffset, sectorSize)}`;
    case 'zero':
      return `${size} ${extent.explicit ? 'zero, allocated but not written' : 'hole'}`;
    case 'encoded':
      return `${size} ${extent.encoding}, at disk ${formatPlace(base + extent.sourceOffset, sectorSize)}`;
    case 'inherited':
      return `${size} in a lower layer`;
  }
}

function attributeSection(attributes: readonly ExtendedAttribute[]): Section {
  const facts = attributes
    .slice(0, MAX_SHOWN_ATTRIBUTES)
    .map((attribute): Fact => [escapeText(attribute.name), attributeText(attribute)]);
  const more = attributes.length - facts.length;
  if (more > 0) facts.push(['…', `${formatCount(more)} more`]);
  const count = attributes.length > 1 ? ` (${formatCount(attributes.length)})` : '';
  return { title: `Extended attributes${count}`, facts };
}

function attributeText(attribute: ExtendedAttribute): string {
  const acl = aclOf(attribute);
  if (acl === undefined) return valueText(attribute.value);
  const more = acl.length > MAX_SHOWN_ACL_ENTRIES ? `,… (${formatCount(acl.length)} entries)` : '';
  return aclText(acl.slice(0, MAX_SHOWN_ACL_ENTRIES)) + more;
}

function valueText(value: Uint8Array): string {
  const shown = value.subarray(0, MAX_SHOWN_VALUE_BYTES);
  return `${textOrBytes(shown)}${shown.length < value.length ? `… (${formatCount(value.length)} bytes)` : ''}`;
}

/** Text in UTF-8, with the NUL that ends a C string shown as what it is; bytes of any other kind in hexadecimal. */
function textOrBytes(value: Uint8Array): string {
  if (value.length === 0) return '(empty)';
  const isCString = value.length > 1 && value.at(-1) === 0;
  const text = decodeName(isCString ? value.subarray(0, -1) : value);
  const isText = !/[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u.test(text);
  return isText ? escapeText(text) + (isCString ? '\\x00' : '') : textOrHex(value);
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
