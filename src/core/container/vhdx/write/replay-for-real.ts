import { randomGuid } from '../../../bytes/guid.ts';
import { roundUp } from '../../../bytes/rounding.ts';
import { type BlockDevice, type ResizableBlockDevice, readBytes } from '../../../device/block-device.ts';
import { extentsOf } from '../../../device/extent.ts';
import { writeZeroBytes } from '../../../device/write-zero-bytes.ts';
import { ZERO_GUID } from '../current-header.ts';
import { MIB } from '../header.ts';
import type { HeaderUpdater } from './header-updater.ts';

/** What is copied at once. */
const COPY_BYTES = MIB;

/**
 * Makes the file what `replayed`, its view after the replay of the log, says: the changes in place and durable, then the header
 * says that the log is empty (MS-VHDX 2.3.3). Stopped at any point, the log is still there to be replayed again.
 */
export async function replayForReal(
  file: ResizableBlockDevice,
  replayed: BlockDevice,
  headers: HeaderUpdater,
): Promise<void> {
  // MS-VHDX 2.2.2: before the first change of a file that was opened to write, the playback of the log too.
  await headers.update({ fileWriteGuid: randomGuid() });
  if (replayed !== file) await applyChanges(file, replayed);
  await file.flush();
  await headers.update({ logGuid: ZERO_GUID });
}

async function applyChanges(file: ResizableBlockDevice, replayed: BlockDevice): Promise<void> {
  const size = roundUp(replayed.size, MIB);
  if (size > file.size) await file.resize(size);
  for await (const extent of extentsOf(replayed, { start: 0, length: replayed.size })) {
    const { start, length } = extent;
    // What stays the file's own, and what the file has just grown by, is there already.
    if (extent.kind === 'data' && extent.source === file) continue;
    if (extent.kind === 'zero' && !extent.explicit) continue;
    if (extent.kind === 'zero') await writeZeroBytes(file, start, length);
    else {
      for (let done = 0; done < length; done += COPY_BYTES) {
        const part = await readBytes(replayed, start + done, Math.min(COPY_BYTES, length - done));
        await file.writeFrom(part, start + done);
      }
    }
  }
}
