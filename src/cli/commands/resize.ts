import { formatExactBytes, outOfRange, type PartitionTable, type WritableImage } from '../../core/index.ts';
import { bytesFrom, type Host } from '../image-command.ts';
import type { Session } from '../session.ts';
import { addWriteCommand } from '../write-command.ts';

export function registerResize(host: Host): void {
  addWriteCommand(host, {
    usage: 'resize <image> <size>',
    description:
      'makes the virtual disk larger; what is new reads as zeros, partitions and the backup GPT stay as they are',
    examples: ['sectorscope resize disk.qcow2 40GiB --write', 'sectorscope resize disk.qcow2 +1GiB --write'],
    plan: async (image, [text], _options, session) => {
      const { before, after, table } = await grow(image, text!);
      if (after > before) noteBackupTable(table, session);
      return `make the disk of ${formatExactBytes(before)} one of ${formatExactBytes(after)}`;
    },
    run: async (image, [text], options, session) => {
      const { path } = image;
      const { before, after, table } = await grow(image, text!);
      if (options.json === true) await session.output.json({ path, before, after });
      else session.note(`${path}: a disk of ${formatExactBytes(after)}, ${formatExactBytes(after - before)} more`);
      if (after > before) noteBackupTable(table, session);
    },
  });
}

interface Growth {
  /** Bytes of the disk. */
  readonly before: number;
  readonly after: number;
  readonly table: PartitionTable | undefined;
}

async function grow(image: WritableImage, text: string): Promise<Growth> {
  const { disk } = image;
  const before = disk.size;
  // The disk can grow whatever its table is like.
  const table = await image.partitionTable().catch(() => undefined);
  const after = newSize(text, { size: before, sectorSize: table?.sectorSize ?? disk.sectorSize });
  if (after !== before) await disk.resize(after);
  await disk.flush();
  return { before, after, table };
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
  const wanted = text.startsWith('+') ? size + bytesFrom(text.slice(1), sectorSize) : bytesFrom(text, sectorSize);
  if (wanted >= size) return wanted;
  throw outOfRange({ layer: 'resize', expected: `at least the ${size} bytes that the disk has`, found: wanted });
}
