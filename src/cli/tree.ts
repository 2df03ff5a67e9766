import {
  escapeText,
  type FileSystem,
  formatBytes,
  formatView,
  type Image,
  type LayoutRow,
  layoutRows,
  type Snapshot,
  withKind,
} from '../core/index.ts';
import {
  layerJson,
  partitionJson,
  snapshotDate,
  snapshotJson,
  type VolumeContent,
  volumeContent,
  volumeJson,
} from './describe.ts';
import { errorJson, errorLine } from './output.ts';
import type { Session } from './session.ts';

export interface TreeOptions {
  /** How many levels of directories are printed. */
  readonly depth: number;
  readonly json: boolean;
}

/** Entries of one directory that the tree prints before it says how many are left. */
const MAX_ENTRIES = 1000;

/** A node of the tree: a line of text, and what is below it. */
interface Branch {
  readonly text: string;
  readonly json: Record<string, unknown>;
  readonly children: readonly Branch[];
}

/** The image as a tree: partitions and gaps, filesystems, directories to a depth; then layers and snapshots, closed. */
export async function printTree(image: Image, options: TreeOptions, session: Session): Promise<void> {
  const children: Branch[] = [];
  if (image.partitionError !== undefined) {
    session.leaveOut(errorLine(image.partitionError));
    children.push(errorBranch(image.partitionError));
  }
  const volumes = new Map<number | undefined, Branch>();
  for (const volume of image.volumes) {
    volumes.set(volume.partition?.number, await volumeBranch(await volumeContent(volume), options.depth, session));
  }
  if (image.partitionTable === undefined) children.push(...volumes.values());
  else for (const row of layoutRows(image.partitionTable, image.disk.size)) children.push(rowBranch(row, volumes));
  children.push(...viewBranches(image));
  const { container } = image;
  const name =
    image.view === undefined ? escapeText(image.path) : `${escapeText(image.path)}, ${formatView(image.view)}`;
  const text = `${name}: ${container.format}, ${formatBytes(container.size)}`;
  const root = { text, json: { container: layerJson(image.layers[0]!) }, children };
  if (options.json) await session.output.json(branchJson(root));
  else await session.output.printAll(lines(root));
}

function* viewBranches(image: Image): Generator<Branch, void> {
  for (const [depth, layer] of image.layers.entries()) {
    if (depth === 0) continue;
    const { name, container } = layer;
    const text = `layer=${depth}, backing file ${escapeText(name)}: ${container.format}, ${formatBytes(container.size)}`;
    yield { text, json: { backing: layerJson(layer) }, children: [] };
  }
  for (const each of image.views) {
    if (each.kind === 'layer') continue;
    const text = each.kind === 'log' ? 'the state before the replay of the log' : snapshotText(each.snapshot);
    const json = each.kind === 'log' ? { log: 'ignore' } : { snapshot: snapshotJson(each.snapshot) };
    yield { text: `${formatView(each.view)}, ${text}`, json, children: [] };
  }
}

function snapshotText({ date, virtualSize }: Snapshot): string {
  return `${snapshotDate(date)}, ${formatBytes(virtualSize)}`;
}

function rowBranch(row: LayoutRow, volumes: ReadonlyMap<number | undefined, Branch>): Branch {
  const size = formatBytes(row.length);
  const { kind, start, length } = row;
  if (row.kind === 'gap') return { text: `(unallocated, ${size})`, json: { kind, start, length }, children: [] };
  if (row.kind === 'metadata')
    return { text: `(${row.name}, ${size})`, json: { kind, start, length, name: row.name }, children: [] };
  const { number, type, name } = row.partition;
  const named = name === '' ? '' : ` "${escapeText(name)}"`;
  const content = volumes.get(number);
  const bears = content === undefined || content.text === '' ? '' : `: ${content.text}`;
  return {
    text: `p${number}${named} ${type.name === '' ? type.id : type.name}, ${size}${bears}`,
    json: { kind, partition: partitionJson(row.partition), ...content?.json },
    children: content?.children ?? [],
  };
}

async function volumeBranch(found: VolumeContent, depth: number, session: Session): Promise<Branch> {
  const json = { volume: volumeJson(found) };
  const { filesystem, error, content } = found;
  if (error !== undefined) {
    session.leaveOut(errorLine(error));
    return { text: errorLine(error), json, children: [] };
  }
  if (filesystem === undefined) return { text: content ?? 'nothing recognized', json, children: [] };
  const label = filesystem.label === '' ? '' : ` "${escapeText(filesystem.label)}"`;
  const children = await directoryBranches(filesystem, filesystem.rootId, depth, new Set(), session);
  return { text: `${filesystem.type}${label}`, json, children };
}

/** The entries of a directory and below; one that was met already (a loop) is listed and not entered again. */
async function directoryBranches(
  filesystem: FileSystem,
  id: number,
  depth: number,
  entered: Set<number>,
  session: Session,
): Promise<Branch[]> {
  if (depth <= 0) return [];
  entered.add(id);
  const branches: Branch[] = [];
  try {
    const node = await filesystem.node(id, session);
    if (node.kind !== 'directory') return [];
    let left = 0;
    for await (const entry of node.entries(session)) {
      if (branches.length >= MAX_ENTRIES) {
        left += 1;
        continue;
      }
      const { name, kind, nodeId } = await withKind(filesystem, entry, session);
      const isDirectory = kind === 'directory';
      const isNew = isDirectory && !entered.has(nodeId);
      const children = isNew ? await directoryBranches(filesystem, nodeId, depth - 1, entered, session) : [];
      branches.push({
        text: `${escapeText(name)}${isDirectory ? '/' : ''}`,
        json: { name, kind, id: nodeId },
        children,
      });
    }
    if (left > 0) branches.push({ text: `(${left} entries more)`, json: { left }, children: [] });
  } catch (error) {
    session.signal.throwIfAborted();
    session.leaveOut(errorLine(error));
    branches.push(errorBranch(error));
  }
  return branches;
}

function errorBranch(error: unknown): Branch {
  return { text: errorLine(error), json: { error: errorJson(error) }, children: [] };
}

function* lines(branch: Branch, lead = '', below = ''): Generator<string, void> {
  yield `${lead}${branch.text}`;
  for (const [index, child] of branch.children.entries()) {
    const isLast = index === branch.children.length - 1;
    yield* lines(child, `${below}${isLast ? '└── ' : '├── '}`, `${below}${isLast ? '    ' : '│   '}`);
  }
}

function branchJson({ json, children }: Branch): Record<string, unknown> {
  return children.length === 0 ? json : { ...json, children: children.map(branchJson) };
}
