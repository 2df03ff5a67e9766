import { type FileNode, notFound } from '../../core/index.ts';
import { type FileItem, isCleared } from './tree-item.ts';

/**
 * The node that an item stands for. NOT_FOUND for a deleted entry whose node is lost: its number was cleared with it, or
 * the node is in use, so that its bytes would be those of another file.
 */
export async function nodeOf(item: FileItem, signal: AbortSignal): Promise<FileNode> {
  if (item.kind === 'recoverable') return item.file.node;
  const { filesystem, nodeId, deleted, name } = item;
  const place = { layer: filesystem.type, structure: `deleted entry ${name}` };
  if (isCleared(item)) throw notFound({ ...place, expected: 'the number of its inode', found: 'none: it was cleared' });
  const node = await filesystem.node(nodeId, { signal, deleted });
  if (!deleted || node.deleted) return node;
  const found = `inode ${nodeId} in use: by another file, or under another name of this one`;
  throw notFound({ ...place, expected: 'an inode that is free', found });
}
