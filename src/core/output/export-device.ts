import type { BlockDevice } from '../device/block-device.ts';
import { type CopyOptions, copySparse } from './copy-sparse.ts';
import { writeNewFile } from './new-file.ts';

export interface ExportOptions extends CopyOptions {
  /** Whether a file of that name may be replaced. */
  readonly overwrite?: boolean;
}

/** Writes a device (a virtual disk, a partition, a file) to a new sparse file on the host; all of it or nothing. */
export async function exportDevice(device: BlockDevice, path: string, options: ExportOptions = {}): Promise<void> {
  await writeNewFile(path, options.overwrite ?? false, (file) => copySparse(device, file.fd, options));
}
