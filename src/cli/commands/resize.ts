import { formatExactBytes, outOfRange, type PartitionTable, parseSize } from '../../core/index.ts';
import type { Host } from '../image-command.ts';
import type { Session } from '../session.ts';
import { addWriteCommand } from '../write-command.ts';

export function registerResize(host: Host): void {
  addWriteCommand(host, {
    usage: 'resize <image> <size>',
    description:
      'makes the virtual disk larger; what is new reads as zeros, partitions and the backup GPT stay as they are',
    examples: ['sectorscope resize disk.qcow2 40GiB --write', 'sectorscope resize disk.qcow2 +1GiB --write'],
    plan: async ({ disk, partitionTable }, [text], _options, session) => {
      const size = newSize(text!, disk);
      if (size > disk.size) noteBackupTable(partitionTable, session);
      return `make the disk of ${formatExactBytes(disk.size)} one of ${formatExactBytes(size)}`;
    },
    run: async (image, [text], options, session) => {
      const { disk, path } = image;
      const before = disk.size;
      // The disk can grow whatever its table is like.
      const table = await image.partitionTable().catch(() => undefined);
      const after = newSize(text!, { size: before, sectorSize: table?.sectorSize ?? disk.sectorSize });
      if (after !== before) await disk.resize(after);
      await disk.flush();
      if (options.json === true) await session.output.json({ path, before, after });
      else session.note(`${path}: a disk of ${formatExactBytes(after)}, ${formatExactBytes(after - before)} more`);
      if (after > before) noteBackupTable(table, session);
    },
  });
}

/** A GPT has its second copy at the end of the disk, and nothing here moves it. */
function noteBackupTable(table: PartitionTable | undefined, session: Session): void {
  if (table === undefined || table.scheme === 'mbr') return;
  session.note(
    'note: gpt: the backup header stays where it is, no longer at the end of the disk; sgdisk -e in the guest moves it',
  );
}

/** `40GiB`, or what is added: `+1GiB`. A disk is never made smaller here. */
function newSize(text: string, { size, sectorSize }: { readonly size: number; readonly sectorSize: number }): number {
  const wanted = text.startsWith('+') ? size + parseSize(text.slice(1), sectorSize) : parseSize(text, sectorSize);
  if (wanted >= size) return wanted;
  throw outOfRange({ layer: 'resize', expected: `at least the ${size} bytes that the disk has`, found: wanted });
}
