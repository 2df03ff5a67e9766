import type { Command } from 'commander';
import {
  escapeText,
  type FileSystem,
  type LostRange,
  LostRanges,
  type RegularFile,
  readableParts,
} from '../core/index.ts';
import { errorJson, errorLine } from './output.ts';
import type { Session } from './session.ts';

/** `--partial`, for the commands that write files out of an image. */
export interface PartialOption {
  readonly partial?: boolean;
}

export function addPartialOption(command: Command): Command {
  return command.option(
    '--partial',
    'of a file that cannot be read whole, what can be read, at its offsets; the rest is zeros, and is said (exit code 1)',
  );
}

/** Says what is lost of a file, whose name is fit to print. */
export function tellLost(name: string, lost: readonly LostRange[], session: Session): void {
  for (const { start, length, reason } of lost)
    session.leaveOut(`lost of ${name}: bytes ${start} to ${start + length - 1}: ${errorLine(reason)}`);
}

export function lostJson(lost: readonly LostRange[]): unknown[] {
  return lost.map((range) => ({ ...range, reason: errorJson(range.reason) }));
}

const ZERO_BYTES = 64 * 1024;

/** What can be read of a file to standard output, zeros for the rest. */
export async function writeReadable(
  filesystem: FileSystem,
  node: RegularFile,
  path: string,
  session: Session,
): Promise<void> {
  const zeros = new Uint8Array(ZERO_BYTES);
  const lost = new LostRanges();
  let done = 0;
  const fill = async (end: number): Promise<void> => {
    for (; done < end; done += Math.min(ZERO_BYTES, end - done))
      await session.output.write(zeros.subarray(0, Math.min(ZERO_BYTES, end - done)));
  };
  for await (const { start, bytes } of readableParts(filesystem, node, lost, { signal: session.signal })) {
    await fill(start);
    await session.output.write(bytes);
    done = start + bytes.length;
  }
  await fill(node.size);
  tellLost(escapeText(path), lost.list(), session);
}
