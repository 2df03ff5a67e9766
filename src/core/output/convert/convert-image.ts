import type { ContainerFormatName } from '../../container/container.ts';
import type { BlockDevice } from '../../device/block-device.ts';
import { WritableFileDevice } from '../../device/file-device.ts';
import { unsupported } from '../../errors.ts';
import { copySparse } from '../copy-sparse.ts';
import type { ExportOptions } from '../export-device.ts';
import { writeNewFile } from '../new-file.ts';
import { verifyCopy } from './verify-copy.ts';
import { type ContainerTarget, writeContainer } from './write-container.ts';

export interface ConvertOptions extends ExportOptions, Omit<ContainerTarget, 'format'> {
  readonly format: ContainerFormatName;
  /** Whether the new image is read back and compared with the source before it takes its name. */
  readonly verify?: boolean | undefined;
  readonly onVerifyProgress?: ExportOptions['onProgress'];
}

/**
 * Writes a device's bytes as a new image, sparse, with nothing behind it: all of it or nothing. UNSUPPORTED for an option that
 * the format does not have, OUT_OF_RANGE for a size, IO when the verification finds a difference.
 */
export async function convertImage(source: BlockDevice, path: string, options: ConvertOptions): Promise<void> {
  const { format, overwrite = false, verify = false, signal, onVerifyProgress } = options;
  checkOptions(options);
  await writeNewFile(path, overwrite, async (file, temporary) => {
    if (format === 'raw') await copySparse(source, file.fd, options);
    else {
      await using device = await WritableFileDevice.open(temporary);
      await writeContainer(source, device, { ...options, format }, options);
    }
    if (verify) await verifyCopy(source, temporary, format, { signal, onProgress: onVerifyProgress });
  });
}

function checkOptions({ format, compression, clusterSize, blockSize }: ConvertOptions): void {
  const refuse = (found: string, expected: string) =>
    unsupported({ layer: 'output', structure: format, expected, found });
  if (compression !== undefined && format !== 'qcow2') throw refuse('compression', 'qcow2 for compression');
  if (clusterSize !== undefined && format !== 'qcow2') throw refuse('a cluster size', 'qcow2 for a cluster size');
  if (blockSize !== undefined && format !== 'vhdx') throw refuse('a block size', 'vhdx for a block size');
}
