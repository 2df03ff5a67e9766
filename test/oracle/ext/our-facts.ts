import { openFileSystem } from '../../../src/core/filesystem/formats.ts';
import {
  type BlockDevice,
  encodeName,
  type FileNode,
  type FileSystem,
  fileDevice,
  type Timestamp,
  walk,
} from '../../../src/core/index.ts';
import { testContext } from '../../helpers/context.ts';
import { sha256 } from '../../helpers/sha256.ts';
import { byPath, momentText, type NodeFacts } from './node-facts.ts';

export async function openExt(device: BlockDevice): Promise<FileSystem> {
  const filesystem = await openFileSystem(device, testContext());
  if (filesystem === undefined) throw new Error('no filesystem recognized');
  return filesystem;
}

/** Our reader's word on everything below the root; files above `hashLimit` bytes are not hashed. */
export async function ourFacts(filesystem: FileSystem, hashLimit: number): Promise<NodeFacts[]> {
  const facts: NodeFacts[] = [];
  for await (const { path, entry } of walk(filesystem, filesystem.rootId)) {
    const node = await filesystem.node(entry.nodeId);
    if (entry.kind !== node.kind)
      throw new Error(`${path}: a ${entry.kind} in the directory, a ${node.kind} in the inode`);
    facts.push(await nodeFacts(filesystem, path, node, hashLimit));
  }
  return facts.sort(byPath);
}

async function nodeFacts(filesystem: FileSystem, path: string, node: FileNode, hashLimit: number): Promise<NodeFacts> {
  const attributes: Record<string, string> = {};
  for (const { name, value } of await node.attributes()) attributes[latin1(name)] = Buffer.from(value).toString('hex');
  return {
    path: latin1(path),
    inode: node.id,
    kind: node.kind,
    mode: node.mode!,
    uid: node.uid!,
    gid: node.gid!,
    size: node.size,
    links: node.linkCount!,
    allocated: node.allocated,
    modified: text(node.times.modified),
    accessed: text(node.times.accessed),
    changed: text(node.times.changed),
    created: text(node.times.created),
    ...(node.kind === 'symlink' ? { target: latin1(await node.target()) } : {}),
    ...('device' in node && node.device !== undefined ? { device: `${node.device.major}:${node.device.minor}` } : {}),
    ...(node.kind === 'file' && node.size <= hashLimit ? { sha256: await sha256(fileDevice(filesystem, node)) } : {}),
    attributes: sorted(attributes),
  };
}

function latin1(name: string): string {
  return Buffer.from(encodeName(name)).toString('latin1');
}

function text(moment: Timestamp | undefined): string {
  return moment === undefined ? momentText(0, 0) : momentText(moment.seconds, moment.nanoseconds);
}

function sorted(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1)));
}
