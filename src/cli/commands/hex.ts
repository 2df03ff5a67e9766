import type { Command } from 'commander';
import { clamp, formatAddress, hexdumpLines, outOfRange, readBytes } from '../../core/index.ts';
import { addDeletedOption, type DeletedOption } from '../deleted-option.ts';
import { addImageCommand, bytesFrom, type Host } from '../image-command.ts';
import type { ImageOptions } from '../session.ts';
import { addSlackOption, type SlackOption } from '../slack-option.ts';
import { bytesOf } from '../target-bytes.ts';

/** Bytes dumped unless `--length` says otherwise. */
const DEFAULT_LENGTH = 512;
/** Bytes read and dumped at once. */
const STEP_BYTES = 64 * 1024;

interface HexOptions extends ImageOptions, SlackOption, DeletedOption {
  readonly offset?: string;
  readonly length?: string;
}

export function registerHex(host: Host): void {
  addImageCommand<HexOptions>(host, {
    usage: 'hex <image> [locator]',
    description: 'a hex dump of the disk, a partition or a file',
    examples: [
      'sectorscope hex disk.qcow2 --offset 2048s --length 1s',
      'sectorscope hex disk.qcow2 p2:/etc/passwd',
      'sectorscope hex disk.qcow2 p1 --offset 0x52 --length 8',
    ],
    options: (command: Command) =>
      addDeletedOption(addSlackOption(command))
        .option('--offset <n>', 'first byte (4096, 0x1000, 8s, 4KiB); negative counts from the end: --offset=-1s')
        .option('--length <n>', `bytes to dump (default ${DEFAULT_LENGTH}; "all" for the rest)`),
    action: async (image, [locator], options, { output, signal, ...rest }) => {
      const { device, name } = await bytesOf(image, locator, { output, signal, ...rest }, options);
      const start = offsetOf(options.offset ?? '0', device.size, device.sectorSize);
      const wanted =
        options.length === 'all' ? device.size : bytesFrom(options.length ?? String(DEFAULT_LENGTH), device.sectorSize);
      const end = clamp(start + wanted, start, device.size);
      async function* pieces(): AsyncGenerator<{ readonly offset: number; readonly bytes: Uint8Array }, void> {
        for (let at = start; at < end; at += STEP_BYTES) {
          yield { offset: at, bytes: await readBytes(device, at, Math.min(STEP_BYTES, end - at), { signal }) };
        }
      }
      if (options.json === true) await output.jsonArray(jsonPieces(pieces(), name));
      else {
        for await (const { offset, bytes } of pieces()) await output.printAll(hexdumpLines(bytes, offset));
        await output.print(formatAddress(end));
      }
    },
  });
}

async function* jsonPieces(
  pieces: AsyncIterable<{ readonly offset: number; readonly bytes: Uint8Array }>,
  locator: string,
): AsyncGenerator<unknown, void> {
  for await (const { offset, bytes } of pieces) yield { locator, offset, length: bytes.length, hex: bytes };
}

/** An offset inside `size` bytes, from the end when negative. Past the end is OUT_OF_RANGE, at the end is empty. */
function offsetOf(text: string, size: number, sectorSize: number): number {
  const offset = text.startsWith('-') ? size - bytesFrom(text.slice(1), sectorSize) : bytesFrom(text, sectorSize);
  if (offset >= 0 && offset <= size) return offset;
  throw outOfRange({ layer: 'hex', expected: `an offset inside ${size} bytes`, found: text });
}
