import type { ResizableBlockDevice } from '../../../device/block-device.ts';
import { unsupported } from '../../../errors.ts';
import type { Property } from '../../../format.ts';
import { MIB } from '../header.ts';
import { hasPendingLog } from '../replay-log.ts';
import type { VhdxImage } from '../vhdx-format.ts';
import { surveyBlocks } from './block-survey.ts';
import { HeaderUpdater } from './header-updater.ts';
import { replayForReal } from './replay-for-real.ts';
import { WritableVhdxContainer } from './writable-vhdx-container.ts';

/**
 * Opens an image for writing that was read as `image`. What cannot be written safely is refused before the file is touched;
 * then a pending log is replayed for real. Otherwise the file stays as it is until the first write.
 */
export async function openWritableVhdx(file: ResizableBlockDevice, image: VhdxImage): Promise<WritableVhdxContainer> {
  const { parts, current, regions } = image;
  const { logOffset, logLength, logVersion } = current.fields;
  if (logLength < MIB || logVersion !== 0) {
    throw unsupported({
      layer: 'vhdx',
      structure: 'header to write with',
      offset: current.offset,
      expected: `a log of version 0 of at least ${MIB} bytes`,
      found: `${logLength} bytes of version ${logVersion}`,
    });
  }
  const log = { fileOffset: logOffset, length: logLength };
  const { geometry, virtualSize } = parts;
  const end = await surveyBlocks(parts.replayed, { ...regions, virtualSize, geometry, log });
  const headers = new HeaderUpdater(file, current.fields, current.number === 1 ? 0 : 1);
  const isPending = hasPendingLog(current.fields);
  if (isPending) await replayForReal(file, parts.replayed, headers);
  const properties = isPending ? afterReplay(parts.properties) : parts.properties;
  return new WritableVhdxContainer({ ...image, parts: { ...parts, replayed: file, properties } }, file, headers, end);
}

/** What was said of a replay in memory is done. */
function afterReplay(properties: readonly Property[]): Property[] {
  return properties.map((property) =>
    property.key === 'log' ? { key: 'log', value: 'replayed into the file' } : property,
  );
}
