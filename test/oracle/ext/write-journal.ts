import { readFileSync } from 'node:fs';
import { writeJournal } from './debugfs-journal.ts';

/**
 * node write-journal.js IMAGE CHANGED: puts what CHANGED has otherwise into the journal of IMAGE, for fixtures/ext/build.sh. Before
 * it go a transaction with the old content of every second of these blocks and with nonsense for some that did not change, and
 * one that revokes the latter.
 */
const BLOCK_BYTES = 1024;
const UNCHANGED = [3000, 3001, 3002];

const [image, changed] = process.argv.slice(2) as [string, string];
const before = readFileSync(image);
const after = readFileSync(changed);
const blocks = new Map<number, Uint8Array>();
for (let at = 0; at < after.length; at += BLOCK_BYTES) {
  const bytes = after.subarray(at, at + BLOCK_BYTES);
  if (bytes.compare(before, at, at + BLOCK_BYTES) !== 0) blocks.set(at / BLOCK_BYTES, bytes);
}
const stale = new Map<number, Uint8Array>();
for (const [index, block] of [...blocks.keys(), ...UNCHANGED].entries())
  if (UNCHANGED.includes(block)) stale.set(block, new Uint8Array(BLOCK_BYTES).fill(index));
  else if (index % 2 === 0) stale.set(block, before.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES));
await writeJournal(
  image,
  [
    { blocks: stale, revoked: [] },
    { blocks: new Map(), revoked: UNCHANGED },
    { blocks, revoked: [] },
  ],
  3,
);
