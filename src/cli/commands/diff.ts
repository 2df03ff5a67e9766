import { type Command, InvalidArgumentError } from 'commander';
import {
  type BlockDevice,
  type ByteRange,
  differences,
  divideDown,
  divideUp,
  formatCount,
  formatExactBytes,
} from '../../core/index.ts';
import { addImageCommand, type Host } from '../image-command.ts';
import { longTable } from '../output.ts';
import { type ImageOptions, noteDiagnostics, openNamed, type Session } from '../session.ts';
import { bytesOf } from '../target-bytes.ts';

interface DiffOptions extends ImageOptions {
  readonly otherFormat?: string;
  readonly otherLocator?: string;
  readonly strict?: boolean;
  readonly limit?: number;
  readonly quiet?: boolean;
}

interface Counts {
  ranges: number;
  bytes: number;
  /** Whether `--limit` ended the comparison early. */
  isCut: boolean;
}

export function registerDiff(host: Host): void {
  addImageCommand<DiffOptions>(host, {
    usage: 'diff <image> <other> [locator]',
    description: 'where two virtual disks (or a partition, a file of both) differ, by sector; exit code 1 when they do',
    examples: [
      'sectorscope diff before.qcow2 after.vhdx',
      'sectorscope diff --json before.qcow2 after.qcow2 p2',
      "sectorscope diff disk.qcow2 disk.qcow2 snapshot=before --other-locator ''",
      'sectorscope diff --quiet a.raw b.raw && echo the same',
    ],
    options: (command: Command) =>
      command
        .option('--other-format <name>', 'the same as --format, for the second image')
        .option(
          '--other-locator <locator>',
          'where to look in the second image, when not at LOCATOR (empty: the whole disk)',
        )
        .option('--strict', 'what only the larger one has differs even where it is zero')
        .option('--limit <ranges>', 'stop after so many ranges', parseCount)
        .option('-q, --quiet', 'print nothing: the exit code tells'),
    hasOther: true,
    action: async (image, [otherName, locator], options, session) => {
      await using other = await openNamed(
        otherName!,
        { ...options, format: options.otherFormat, isOneOfTwo: true },
        session,
      );
      try {
        const first = await bytesOf(image, locator, session);
        const second = await bytesOf(other, options.otherLocator ?? locator, session);
        await compare(first.device, second.device, options, session);
      } finally {
        noteDiagnostics(other, session);
      }
    },
  });
}

async function compare(first: BlockDevice, second: BlockDevice, options: DiffOptions, session: Session): Promise<void> {
  const { output, signal } = session;
  const sectorSize = options.sectorSize ?? first.sectorSize;
  const progress = session.progress('Comparing');
  const { strict, quiet = false } = options;
  const counts: Counts = { ranges: 0, bytes: 0, isCut: false };
  const found = differences(first, second, { signal, sectorSize, strict, onProgress: progress.update });
  const ranges = counted(found, options.limit, counts);
  if (!quiet && first.size !== second.size) {
    session.note(`the sizes differ: ${formatExactBytes(first.size)} and ${formatExactBytes(second.size)}`);
  }
  try {
    if (quiet) for await (const _ of ranges) break;
    else if (options.json === true) await output.jsonArray(rows(ranges, sectorSize));
    else {
      const lines = longTable(cells(ranges, sectorSize), ['right', 'right', 'right', 'right']);
      for await (const piece of lines) await output.printAll(piece);
    }
  } finally {
    progress.end();
  }
  if (counts.ranges > 0) session.markNotable();
  if (!quiet && options.json !== true) await output.print(summary(counts, first, second));
}

/** At most `limit` ranges. */
async function* counted(
  ranges: AsyncIterable<ByteRange>,
  limit: number = Number.POSITIVE_INFINITY,
  counts: Counts,
): AsyncGenerator<ByteRange, void> {
  for await (const range of ranges) {
    if (counts.ranges === limit) {
      counts.isCut = true;
      return;
    }
    counts.ranges += 1;
    counts.bytes += range.length;
    yield range;
  }
}

async function* rows(ranges: AsyncIterable<ByteRange>, sectorSize: number): AsyncGenerator<object, void> {
  for await (const { start, length } of ranges) {
    const startSector = divideDown(start, sectorSize);
    yield { start, length, startSector, sectorCount: divideUp(start + length, sectorSize) - startSector };
  }
}

/** A header only when there is anything below it. */
async function* cells(ranges: AsyncIterable<ByteRange>, sectorSize: number): AsyncGenerator<readonly string[], void> {
  let isFirst = true;
  for await (const { start, length } of ranges) {
    if (isFirst) yield ['start', 'length', 'first sector', 'last sector'];
    isFirst = false;
    const last = divideUp(start + length, sectorSize) - 1;
    yield [`0x${start.toString(16)}`, String(length), String(divideDown(start, sectorSize)), String(last)];
  }
}

function summary({ ranges, bytes, isCut }: Counts, first: BlockDevice, second: BlockDevice): string {
  const size = formatExactBytes(Math.max(first.size, second.size));
  if (ranges === 0) return `the same: ${size}`;
  const found = `${formatCount(ranges)} ${ranges === 1 ? 'range' : 'ranges'}, ${formatExactBytes(bytes)}`;
  return isCut ? `at least ${found} of ${size} differ (stopped there)` : `${found} of ${size} differ`;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Expected a number of 1 and more.');
}
