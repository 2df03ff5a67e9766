import type { ReadOptions } from '../../device/block-device.ts';
import { corrupt } from '../../errors.ts';
import type { BlockRange, BlockRun } from './block-run.ts';
import { clipRun } from './block-run.ts';
import { extentBlockChecksum, inodeSeed } from './checksums.ts';
import { type ExtentNode, parseExtentNode } from './extent-node.ts';
import { I_BLOCK_OFFSET, type Inode } from './inode.ts';
import type { ExtVolume } from './volume.ts';

/** Logical block numbers are 32 bits. */
const MAX_FILE_BLOCKS = 2 ** 32;
/** Nodes of one tree read in one walk; a million of 4 KiB blocks hold 350 million extents. */
const MAX_TREE_NODES = 1_048_576;

interface PendingNode {
  readonly block: number;
  readonly depth: number;
  readonly covers: BlockRange;
}

/** The runs of an extent-mapped file inside `range`, ascending, a leaf at a time. */
export async function* extentTreeRuns(
  volume: ExtVolume,
  inode: Inode,
  range: BlockRange,
  options?: ReadOptions,
): AsyncGenerator<readonly BlockRun[], void> {
  const blocks = volume.dataBlocks;
  const root = parseRoot(volume, inode);
  if (root.depth === 0) return yield clipRuns(root.runs, range);
  const seen = new Set<number>();
  const pending = pendingChildren(root, range);
  for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
    if (seen.has(here.block) || seen.size >= MAX_TREE_NODES) throw revisited(volume, inode, here.block);
    seen.add(here.block);
    const offset = volume.blockOffset(here.block);
    const bytes = await volume.readMetadata(here.block, 'extent tree block', options);
    volume.verify(`extent tree block of inode ${inode.id}`, offset, (seed) =>
      extentBlockChecksum(bytes, inodeSeed(inode, seed)),
    );
    const node = parseExtentNode(bytes, { offset, depth: here.depth, covers: here.covers, blocks });
    if (node.depth === 0) yield clipRuns(node.runs, range);
    else pending.push(...pendingChildren(node, range));
  }
}

/** All runs of a file whose extents are in the inode itself; undefined when there is more of the tree. */
export function rootRuns(volume: ExtVolume, inode: Inode): readonly BlockRun[] | undefined {
  const root = parseRoot(volume, inode);
  return root.depth === 0 ? root.runs : undefined;
}

function parseRoot(volume: ExtVolume, inode: Inode): ExtentNode {
  return parseExtentNode(inode.iBlock, {
    offset: inode.offset + I_BLOCK_OFFSET,
    depth: undefined,
    covers: { first: 0, end: MAX_FILE_BLOCKS },
    blocks: volume.dataBlocks,
  });
}

function clipRuns(runs: readonly BlockRun[], range: BlockRange): BlockRun[] {
  return runs.map((run) => clipRun(run, range)).filter((run) => run !== undefined);
}

/** The children that may speak of `range`, the first of them last: they are taken from the end. */
function pendingChildren(node: ExtentNode, range: BlockRange): PendingNode[] {
  return node.children
    .filter(({ covers }) => covers.first < range.end && covers.end > range.first)
    .map(({ block, covers }) => ({ block, covers, depth: node.depth - 1 }))
    .reverse();
}

function revisited(volume: ExtVolume, inode: Inode, block: number): Error {
  return corrupt({
    layer: 'ext',
    structure: `extent tree of inode ${inode.id}`,
    offset: volume.blockOffset(block),
    expected: `a tree of at most ${MAX_TREE_NODES} nodes, each met once`,
    found: `block ${block} again`,
  });
}
