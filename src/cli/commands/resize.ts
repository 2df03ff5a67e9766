import { formatExactBytes, outOfRange, parseSize } from '../../core/index.ts';
import type { Host } from '../image-command.ts';
import { addWriteCommand } from '../write-command.ts';

export function registerResize(host: Host): void {
  addWriteCommand(host, {
    usage: 'resize <image> <size>',
    description: 'makes the virtual disk larger; what is new reads as zeros, partitions stay as they are',
    examples: ['sectorscope resize disk.qcow2 40GiB --write', 'sectorscope resize disk.qcow2 +1GiB --write'],
    plan: async ({ disk }, [text]) => {
      const size = newSize(text!, disk);
      return `make the disk of ${formatExactBytes(disk.size)} one of ${formatExactBytes(size)}`;
    },
    run: async (image, [text], options, session) => {
      const { disk, path } = image;
      const before = disk.size;
      const { sectorSize } = await image.rangeOf();
      const after = newSize(text!, { size: before, sectorSize });
      if (after !== before) await disk.resize(after);
      await disk.flush();
      if (options.json === true) await session.output.json({ path, before, after });
      else session.note(`${path}: a disk of ${formatExactBytes(after)}, ${formatExactBytes(after - before)} more`);
    },
  });
}

/** `40GiB`, or what is added: `+1GiB`. A disk is never made smaller here. */
function newSize(text: string, { size, sectorSize }: { readonly size: number; readonly sectorSize: number }): number {
  const wanted = text.startsWith('+') ? size + parseSize(text.slice(1), sectorSize) : parseSize(text, sectorSize);
  if (wanted >= size) return wanted;
  throw outOfRange({ layer: 'resize', expected: `at least the ${size} bytes that the disk has`, found: wanted });
}
