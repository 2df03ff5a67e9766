import { errorText, escapeText, type FileNode, formatBytes } from '../../core/index.ts';
import { formatTime } from '../text/format.ts';
import type { Fact, Section } from './facts.ts';
import { nodeOf } from './node-of.ts';
import { type EntryItem, isCleared, pathOf, type RecoverableItem } from './tree-item.ts';

/** What a deleted entry still leads to. */
export interface DeletedPlace {
  readonly section: Section;
  /** Its node, when that is still its own as far as can be told. */
  readonly node: FileNode | undefined;
}

/** What is known of a deleted entry: whether its node is free, and whether its content may be there. */
export async function deletedPlace(item: EntryItem, signal: AbortSignal): Promise<DeletedPlace> {
  const facts: Fact[] = [
    ['name', item.label],
    ['was at', escapeText(pathOf(item))],
  ];
  const section: Section = { title: 'Deleted entry', facts };
  if (isCleared(item)) {
    facts.push(['kind', item.entryKind], ['inode', 'cleared with the entry: the name is all that is left here']);
    facts.push(['see also', 'recoverable files, below the filesystem']);
    return { section, node: undefined };
  }
  try {
    const node = await nodeOf(item, signal);
    if (node.mode !== undefined) facts.push(['inode', `${node.id}, free: no other file uses it`]);
    facts.push(['content', await contentText(node, signal)]);
    return { section, node };
  } catch (error) {
    signal.throwIfAborted();
    facts.push(['kind', item.entryKind], ['inode', await userText(item, error, signal)]);
    return { section, node: undefined };
  }
}

/** What took the node over, or why it cannot be read. */
async function userText(item: EntryItem, error: unknown, signal: AbortSignal): Promise<string> {
  try {
    const { id, kind, size, times } = await item.filesystem.node(item.nodeId, { signal });
    const changed = times.modified === undefined ? '' : `, modified ${formatTime(times.modified)}`;
    const now = `a ${kind} of ${formatBytes(size)}${changed}`;
    return `${id}, in use: ${now} (another file, or this one under another name)`;
  } catch {
    signal.throwIfAborted();
    return `${item.nodeId}: ${errorText(error)}`;
  }
}

async function contentText(node: FileNode, signal: AbortSignal): Promise<string> {
  if (node.kind !== 'file' && node.kind !== 'directory') return 'none of its own';
  if (node.size === 0) return 'not told any more: its size is 0';
  try {
    for await (const _ of node.extents({ start: 0, length: 1 }, { signal })) break;
  } catch (error) {
    signal.throwIfAborted();
    return errorText(error);
  }
  // FAT forgets the chain with the file; an inode may keep its blocks, which may have been given to others since.
  return node.mode === undefined
    ? 'inferred: its first cluster is free, and the free ones from there on are taken in order'
    : 'where its inode says; those blocks may be in use again';
}

/** What a search for lost files says of one. */
export function recoverableSection({ label, file }: RecoverableItem): Section {
  const facts: Fact[] = [
    ['path', file.path === undefined ? 'not known' : label],
    ['certainty', `${file.certainty}: ${CERTAINTY_WORDS[file.certainty]}`],
    ['why', escapeText(file.reason)],
    ['found in', file.source],
    ['key', escapeText(file.key)],
  ];
  return { title: 'Recoverable file', facts };
}

const CERTAINTY_WORDS = {
  intact: 'by all that is known nobody had its blocks since',
  likely: 'nothing speaks against it, but others may have had its blocks since',
  damaged: 'some of its content is lost, or another file’s',
  lost: 'only its name and facts are left',
} as const;
