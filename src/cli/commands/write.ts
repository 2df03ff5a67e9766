import type { Command } from 'commander';
import {
  type BlockDevice,
  type ByteRange,
  denied,
  FileDevice,
  formatPlace,
  type Locator,
  outOfRange,
  parseLocator,
  streamBytes,
  unsupported,
  type WritableImage,
} from '../../core/index.ts';
import { bytesFrom, type Host } from '../image-command.ts';
import { type Session, standardInput } from '../session.ts';
import { addWriteCommand, type WriteOptions } from '../write-command.ts';

interface Options extends WriteOptions {
  readonly offset: string;
  readonly input: string;
}

/** A rehearsal keeps what it writes in memory: of a longer input only the beginning is written. */
const REHEARSED_BYTES = 64 * 1024 * 1024;

export function registerWrite(host: Host): void {
  addWriteCommand<Options>(host, {
    usage: 'write <image> [locator]',
    description: 'writes raw bytes over those of the disk or of a partition',
    examples: [
      'sectorscope write disk.qcow2 --offset 0 --input boot.bin --write',
      'printf hello | sectorscope write disk.qcow2 p2 --offset 4KiB --input - --write',
    ],
    options: (command: Command) =>
      command
        .requiredOption('--offset <n>', 'where to begin: 4096, 0x1000, 8s, 4KiB')
        .requiredOption('--input <file>', 'the bytes to write; - for standard input'),
    plan: async (image, [text], options, { signal }) => {
      const { locator, range, offset } = await placeOf(image, text, options);
      // Standard input is left to whoever reads it: its length is not known.
      if (options.input === '-') return `write standard input at ${placeName(locator, offset)}`;
      await using input = await FileDevice.open(options.input);
      checkRoom(range.length, offset, input);
      // Damage that is met on the way refuses it, as it would with the word.
      const length = Math.min(input.size, REHEARSED_BYTES);
      await copyBytes(image, range.start + offset, input, { length, signal });
      await image.disk.flush();
      return `write ${input.size} bytes at ${placeName(locator, offset)}`;
    },
    run: async (image, [text], options, session) => {
      const { locator, range, offset } = await placeOf(image, text, options);
      await using input =
        options.input === '-' ? await standardInput(session, {}) : await FileDevice.open(options.input);
      checkRoom(range.length, offset, input);
      await copyInto(image, range.start + offset, input, session);
      const { size: length } = input;
      if (options.json === true) await session.output.json({ path: image.path, locator: text ?? '', offset, length });
      else session.note(`${image.path}: ${length} bytes written at ${placeName(locator, offset)}`);
    },
  });
}

interface WritePlace {
  readonly locator: Locator;
  /** Of the disk, or of the partition on it. */
  readonly range: ByteRange;
  /** Bytes from the start of the range. */
  readonly offset: number;
}

async function placeOf(image: WritableImage, text: string | undefined, options: Options): Promise<WritePlace> {
  const locator = writtenLocator(text);
  const range = await image.rangeOf(locator.kind === 'partition' ? locator.partition : undefined);
  const offset = bytesFrom(options.offset, range.sectorSize);
  if (await image.hasFile(options.input)) throw sameFile(options.input);
  return { locator, range, offset };
}

function writtenLocator(text: string | undefined): Locator {
  const locator = parseLocator(text);
  if (locator.view === undefined && locator.kind !== 'path') return locator;
  throw unsupported({ layer: 'write', expected: 'the disk or a partition, such as p2', found: text });
}

function placeName(locator: Locator, offset: number): string {
  const place = locator.kind === 'partition' ? `p${locator.partition}` : 'the disk';
  return `byte ${offset} of ${formatPlace(locator.view, place)}`;
}

/** All of it or none: a write that does not fit is refused before the first byte. */
function checkRoom(room: number, offset: number, input: BlockDevice): void {
  if (offset + input.size <= room) return;
  const found = `${input.size} bytes at ${offset}`;
  throw outOfRange({ layer: 'write', expected: `a range inside ${room} bytes`, found });
}

function sameFile(input: string): Error {
  const expected = 'another file';
  return denied({ layer: 'write', structure: input, expected, found: 'a file of the image itself' });
}

async function copyInto(image: WritableImage, start: number, input: BlockDevice, session: Session): Promise<void> {
  const { size: length } = input;
  const progress = session.progress('Writing');
  let done = 0;
  const onProgress = (bytes: number) => {
    done = bytes;
    progress.update({ done, total: length });
  };
  try {
    await copyBytes(image, start, input, { length, signal: session.signal, onProgress });
  } catch (error) {
    session.note(`the first ${done} of ${length} bytes were written`);
    throw error;
  } finally {
    progress.end();
    await image.disk.flush();
  }
}

interface CopyBytesOptions {
  /** Bytes of the input, from its beginning. */
  readonly length: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

async function copyBytes(
  { disk }: WritableImage,
  start: number,
  input: BlockDevice,
  { length, signal, onProgress }: CopyBytesOptions,
): Promise<void> {
  let done = 0;
  for await (const chunk of streamBytes(input, { start: 0, length }, { signal })) {
    await disk.writeFrom(chunk, start + done, { signal });
    done += chunk.length;
    onProgress?.(done);
  }
}
