import { corrupt } from '../../errors.ts';
import { type BlockRange, type BlockRun, type BlockRunOptions, clipRun, loseBlocks } from './block-run.ts';
import { extentBlockChecksum, inodeSeed } from './checksums.ts';
import { type ExtentNode, parseExtentNode } from './extent-node.ts';
import { I_BLOCK_OFFSET, type Inode } from './inode.ts';
import type { ExtVolume } from './volume.ts';

/** Logical block numbers are 32 bits. */
const WHOLE_FILE: BlockRange = { first: 0, end: 2 ** 32 };
/** Nodes of one tree read in one walk; a million of 4 KiB blocks hold 350 million extents. */
const MAX_TREE_NODES = 1_048_576;

interface PendingNode {
  readonly block: number;
  readonly depth: number;
  readonly covers: BlockRange;
}

/** The runs of an extent-mapped file inside `range`, ascending, a leaf at a time; what a damaged node covers is lost as the options say. */
export async function* extentTreeRuns(
  volume: ExtVolume,
  inode: Inode,
  range: BlockRange,
  options?: BlockRunOptions,
): AsyncGenerator<readonly BlockRun[], void> {
  const onBad = options?.onLostBlocks;
  let root: ExtentNode;
  try {
    root = parseRoot(volume, inode, onBad);
  } catch (error) {
    return loseBlocks(WHOLE_FILE, error, options);
  }
  if (root.depth === 0) return yield clipRuns(root.runs, range);
  const seen = new Set<number>();
  const pending = pendingChildren(root, range);
  for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
    let node: ExtentNode;
    try {
      if (seen.has(here.block) || seen.size >= MAX_TREE_NODES) throw revisited(volume, inode, here.block);
      seen.add(here.block);
      const offset = volume.blockOffset(here.block);
      const bytes = await volume.readMetadata(here.block, 'extent tree block', options);
      volume.verify(`extent tree block of inode ${inode.id}`, offset, (seed) =>
        extentBlockChecksum(bytes, inodeSeed(inode, seed)),
      );
      node = parseExtentNode(bytes, {
        offset,
        depth: here.depth,
        covers: here.covers,
        blocks: volume.dataBlocks,
        onBad,
      });
    } catch (error) {
      loseBlocks(here.covers, error, options);
      continue;
    }
    if (node.depth === 0) yield clipRuns(node.runs, range);
    else pending.push(...pendingChildren(node, range));
  }
}

/** All runs of a file whose extents are in the inode itself; undefined when there is more of the tree. */
export function rootRuns(volume: ExtVolume, inode: Inode): readonly BlockRun[] | undefined {
  const root = parseRoot(volume, inode);
  return root.depth === 0 ? root.runs : undefined;
}

function parseRoot(volume: ExtVolume, inode: Inode, onBad?: BlockRunOptions['onLostBlocks']): ExtentNode {
  return parseExtentNode(inode.iBlock, {
    offset: inode.offset + I_BLOCK_OFFSET,
    depth: undefined,
    covers: WHOLE_FILE,
    blocks: volume.dataBlocks,
    onBad,
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
