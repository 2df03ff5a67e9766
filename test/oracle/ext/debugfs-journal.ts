import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tool } from '../../helpers/tools.ts';

/** A transaction as debugfs writes it: what blocks of the filesystem shall hold, and those whose older copies count no more. */
export interface WrittenTransaction {
  readonly blocks: ReadonlyMap<number, Uint8Array>;
  readonly revoked: readonly number[];
}

/** Puts transactions into an image's journal without replaying them; `checksums` is the version that debugfs is told. */
export async function writeJournal(
  image: string,
  transactions: readonly WrittenTransaction[],
  checksums: 2 | 3 | undefined,
): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sectorscope-journal-'));
  try {
    const commands = [checksums === undefined ? 'jo' : `jo -c -v ${checksums}`];
    for (const [index, { blocks, revoked }] of transactions.entries()) {
      const content = path.join(folder, String(index));
      writeFileSync(content, Buffer.concat([...blocks.values()]));
      // A file of no blocks is refused.
      const written = blocks.size === 0 ? '' : ` -b ${[...blocks.keys()].join(',')} ${content}`;
      commands.push(`jw${revoked.length === 0 ? '' : ` -r ${revoked.join(',')}`}${written}`);
    }
    const script = path.join(folder, 'commands');
    writeFileSync(script, `${[...commands, 'jc'].join('\n')}\n`);
    await tool('debugfs', ['-w', '-f', script, image]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
