import { type Command, InvalidArgumentError } from 'commander';
import {
  type BytePattern,
  DiskError,
  divideDown,
  hexPattern,
  type Match,
  readBytes,
  Search,
  type TextEncodingName,
  textPattern,
} from '../../core/index.ts';
import { UsageError } from '../exit-codes.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { errorLine } from '../output.ts';
import { type Located, type SearchPlace, searchPlaces } from '../search-places.ts';
import type { ImageOptions, Session } from '../session.ts';

interface GrepOptions extends ImageOptions {
  readonly hex?: boolean;
  readonly encoding?: readonly TextEncodingName[];
  readonly ignoreCase?: boolean;
  readonly files?: boolean;
  readonly count?: boolean;
  readonly limit?: number;
  readonly context?: number;
}

/** A match with all that is told of it. */
interface Hit extends Located {
  readonly match: Match;
  /** The bytes before, of and behind it. */
  readonly context: { readonly before: Uint8Array; readonly bytes: Uint8Array; readonly after: Uint8Array } | undefined;
}

const ENCODINGS: readonly TextEncodingName[] = ['utf-8', 'utf-16le'];
const MAX_CONTEXT_BYTES = 4096;

export function registerGrep(host: Host): void {
  addImageCommand<GrepOptions>(host, {
    usage: 'grep <image> <pattern> [locator]',
    description: 'where a text or bytes are: on the disk, in a partition, in a file or all files below a directory',
    examples: [
      'sectorscope grep disk.qcow2 password -i --encoding utf-8,utf-16le --context 20',
      "sectorscope grep disk.qcow2 --hex '55 aa ?? 00' p1",
      'sectorscope grep disk.qcow2 needle p2:/var/log',
      'sectorscope grep disk.qcow2 needle --files --json',
    ],
    options: (command: Command) =>
      command
        .option('--hex', 'the pattern is bytes, such as 55 aa ?? 0? (? is any digit)')
        .option('--encoding <names>', `what the text is in: ${ENCODINGS.join(', ')} or both`, parseEncodings)
        .option('-i, --ignore-case', 'letters of ASCII, capital or small')
        .option('--files', 'the contents of files instead of the bytes of the disk or the partition')
        .option('-c, --count', 'only the number of matches')
        .option('--limit <n>', 'stop after so many matches', parseCount)
        .option('--context <n>', 'also show the match, with so many bytes before and after it', parseContext),
    action: async (image, [text, locator], options, session) => {
      const search = new Search(patternsOf(text!, options));
      const target = await targetOf(image, locator, session);
      const places = searchPlaces(target, options.files === true, session);
      const found = { count: 0 };
      const hits = matches(search, places, options, found, session);
      const { sectorSize } = target.image.disk;
      if (options.count === true) {
        for await (const _ of hits);
        await (options.json === true ? session.output.json(found) : session.output.print(String(found.count)));
      } else if (options.json === true) await session.output.jsonArray(hitsJson(hits, sectorSize));
      else for await (const hit of hits) await session.output.print(hitLine(hit, sectorSize, options));
      if (found.count === 0) session.markNotable();
    },
  });
}

/** The hits up to the limit; where only their number is wanted, none is given. */
async function* matches(
  search: Search,
  places: AsyncIterable<SearchPlace>,
  options: GrepOptions,
  found: { count: number },
  session: Session,
): AsyncGenerator<Hit, void> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  for await (const place of places) {
    const progress = session.progress(`Searching ${place.name}`);
    try {
      for await (const batch of search.in(place.device, { signal: session.signal, onProgress: progress.update })) {
        if (options.count === true) found.count = Math.min(limit, found.count + batch.count);
        else
          for (const match of batch.matches()) {
            // A run of zeros is one batch, however long.
            session.signal.throwIfAborted();
            found.count++;
            const context = await contextOf(place, match, options, session);
            progress.end();
            yield { ...(await place.locate(match.offset)), match, context };
            if (found.count === limit) return;
          }
        if (found.count === limit) return;
      }
    } catch (error) {
      // A disk that cannot be read is a failure; a file that cannot is left out.
      if (!(error instanceof DiskError) || !place.isFile) throw error;
      session.leaveOut(`${place.name}: ${errorLine(error)}`);
    } finally {
      progress.end();
    }
  }
}

async function contextOf(
  { device }: SearchPlace,
  { offset, pattern }: Match,
  { context }: GrepOptions,
  { signal }: Session,
): Promise<Hit['context']> {
  if (context === undefined) return undefined;
  const start = Math.max(0, offset - context);
  const end = offset + pattern.values.length;
  const bytes = await readBytes(device, start, Math.min(device.size, end + context) - start, { signal });
  const parts = [bytes.subarray(0, offset - start), bytes.subarray(offset - start, end - start)] as const;
  return { before: parts[0], bytes: parts[1], after: bytes.subarray(end - start) };
}

/** `0x101234  lba 2057  p2:/etc/passwd+0x34  ...`: the byte of the disk, its sector, and where it is in what it belongs to. */
function hitLine({ locator, offset, diskOffset, context }: Hit, sectorSize: number, options: GrepOptions): string {
  const onDisk =
    diskOffset === undefined ? '-  lba -' : `0x${diskOffset.toString(16)}  lba ${divideDown(diskOffset, sectorSize)}`;
  const line = `${onDisk}  ${locator}+0x${offset.toString(16)}`;
  if (context === undefined) return line;
  const show = options.hex === true ? hexDigits : bytesText;
  return `${line}  ${[context.before, context.bytes, context.after].map(show).join(options.hex === true ? ' ' : '')}`;
}

function hexDigits(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$& ');
}

/** Printable ASCII as it is, every other byte as `\xHH`. */
function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replaceAll('\\', '\\\\')
    .replaceAll(/[^ -~]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

async function* hitsJson(hits: AsyncIterable<Hit>, sectorSize: number): AsyncGenerator<unknown, void> {
  for await (const { locator, offset, diskOffset, match, context } of hits) {
    const lba = diskOffset === undefined ? null : divideDown(diskOffset, sectorSize);
    const { name, values } = match.pattern;
    const found = { locator, offset, diskOffset: diskOffset ?? null, lba, length: values.length, pattern: name };
    yield context === undefined
      ? found
      : { ...found, before: context.before, match: context.bytes, after: context.after };
  }
}

function patternsOf(text: string, options: GrepOptions): BytePattern[] {
  if (options.hex === true && (options.encoding !== undefined || options.ignoreCase === true))
    throw new UsageError('--hex goes without --encoding and --ignore-case: its bytes are what they are');
  try {
    if (options.hex === true) return [hexPattern(text)];
    return (options.encoding ?? ['utf-8']).map((each) => textPattern(text, each, options.ignoreCase === true));
  } catch (error) {
    throw error instanceof DiskError ? new UsageError(error.message) : error;
  }
}

function parseEncodings(text: string): TextEncodingName[] {
  const names = text.split(',');
  const known = ENCODINGS.filter((each) => names.includes(each));
  if (names.every((name) => known.some((each) => each === name))) return known;
  throw new InvalidArgumentError(`Expected ${ENCODINGS.join(', ')} or both with a comma.`);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Expected a number of 1 and more.');
}

function parseContext(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= MAX_CONTEXT_BYTES) return count;
  throw new InvalidArgumentError(`Expected a number of bytes, at most ${MAX_CONTEXT_BYTES}.`);
}
