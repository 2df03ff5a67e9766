import { divideDown, roundUp } from '../../../bytes/rounding.ts';
import { SparseBitSet } from '../../../bytes/sparse-bit-set.ts';
import { viewOf } from '../../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../../device/block-device.ts';
import { corrupt } from '../../../errors.ts';
import {
  BAT_ENTRY_BYTES,
  type BatGeometry,
  PAYLOAD_BLOCK,
  SECTOR_BITMAP_BLOCK,
  SECTOR_BITMAP_BYTES,
  unpackBatEntry,
} from '../block-allocation-table.ts';
import { KIB, MIB } from '../header.ts';
import type { Region } from '../regions.ts';

/** What is read of the table at once. */
const CHUNK_BYTES = 64 * KIB;

interface SurveyedFile {
  /** Of the disk, in bytes. */
  readonly virtualSize: number;
  readonly geometry: BatGeometry;
  readonly bat: Region;
  readonly metadata: Region;
  readonly log: Region;
}

/**
 * Walks the whole block allocation table of a file that is to be written to. Two structures in one place, or a block or region
 * that is not in the file, are CORRUPT: writing to one would damage the other, or give out zeros for what is lost. Gives the
 * size that the file must have before anything is added to it: what of the last block is behind the end of the disk, need not
 * be there yet.
 */
export async function surveyBlocks(
  file: BlockDevice,
  { virtualSize, geometry, bat, metadata, log }: SurveyedFile,
): Promise<number> {
  const used = new SparseBitSet();
  let end = 0;
  const claim = (structure: string, fileOffset: number, length: number, offset?: number, needed = length): void => {
    if (fileOffset < MIB || fileOffset + needed > file.size)
      throw conflict(structure, `a place inside the file of ${file.size} bytes`, fileOffset, offset);
    for (let mib = fileOffset / MIB; mib < (fileOffset + length) / MIB; mib++)
      if (!used.add(mib)) throw conflict(structure, 'a place that no other structure has', fileOffset, offset);
    end = Math.max(end, fileOffset + length);
  };
  claim('log', log.fileOffset, log.length);
  claim('BAT', bat.fileOffset, bat.length);
  claim('metadata', metadata.fileOffset, metadata.length);
  const { chunkRatio, blockSize } = geometry;
  const visibleLength = (index: number): number =>
    Math.min(blockSize, virtualSize - (index - divideDown(index, chunkRatio + 1)) * blockSize);
  const tableBytes = geometry.entryCount * BAT_ENTRY_BYTES;
  for (let done = 0; done < tableBytes; done += CHUNK_BYTES) {
    const chunk = await readBytes(file, bat.fileOffset + done, Math.min(CHUNK_BYTES, tableBytes - done));
    const view = viewOf(chunk);
    for (let at = 0; at < chunk.length; at += BAT_ENTRY_BYTES) {
      const low = view.getUint32(at, true);
      const high = view.getUint32(at + 4, true);
      if (low === 0 && high === 0) continue;
      const { state, fileOffset } = unpackBatEntry(high, low);
      const index = (done + at) / BAT_ENTRY_BYTES;
      const offset = bat.fileOffset + done + at;
      if (index % (chunkRatio + 1) === chunkRatio) {
        if (state === SECTOR_BITMAP_BLOCK.present)
          claim('sector bitmap block', fileOffset, SECTOR_BITMAP_BYTES, offset);
      } else if (state === PAYLOAD_BLOCK.fullyPresent || state === PAYLOAD_BLOCK.partiallyPresent)
        claim('payload block', fileOffset, blockSize, offset, visibleLength(index));
    }
  }
  return roundUp(Math.max(end, file.size), MIB);
}

function conflict(structure: string, expected: string, found: number, offset?: number): Error {
  return corrupt({ layer: 'vhdx', structure: `${structure} to write to`, offset, expected, found });
}
