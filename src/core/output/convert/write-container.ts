import { roundUp } from '../../bytes/rounding.ts';
import type { CompressionType } from '../../container/qcow2/inflate-cluster.ts';
import { Qcow2StreamWriter } from '../../container/qcow2/write/qcow2-stream-writer.ts';
import type { SequentialWriter } from '../../container/sequential-writer.ts';
import { VhdxStreamWriter } from '../../container/vhdx/write/vhdx-stream-writer.ts';
import type { BlockDevice, ResizableBlockDevice } from '../../device/block-device.ts';
import { assert } from '../../errors.ts';
import type { CopyOptions } from '../copy-sparse.ts';
import { type Part, readParts } from './read-parts.ts';

/** What to write, and how. */
export interface ContainerTarget {
  readonly format: 'qcow2' | 'vhdx';
  /** QCOW2 only: each cluster that becomes smaller is stored compressed. */
  readonly compression?: CompressionType | undefined;
  /** QCOW2 only: bytes, 64 KiB unless given. */
  readonly clusterSize?: number | undefined;
  /** VHDX only: bytes, as Hyper-V would take it unless given. */
  readonly blockSize?: number | undefined;
}

const DEFAULT_CLUSTER_BYTES = 65536;
/** Disks in QCOW2 and VHDX are whole sectors. */
const SECTOR_BYTES = 512;

/** Writes the virtual disk of a device, whole and sparse, as a container to an empty device. */
export async function writeContainer(
  source: BlockDevice,
  device: ResizableBlockDevice,
  target: ContainerTarget,
  options: CopyOptions = {},
): Promise<void> {
  const { signal, onProgress } = options;
  await using writer = await startWriter(source, device, target);
  for await (const { end, parts } of readParts(source, writer.unitBytes, target.compression, options)) {
    for (const part of parts) await writePart(writer, part, options);
    onProgress?.({ done: Math.min(end, source.size), total: source.size });
  }
  await writer.finish({ signal });
  onProgress?.({ done: source.size, total: source.size });
}

async function startWriter(
  source: BlockDevice,
  device: ResizableBlockDevice,
  target: ContainerTarget,
): Promise<SequentialWriter> {
  if (target.format === 'qcow2') {
    return new Qcow2StreamWriter(device, {
      virtualSize: roundUp(source.size, SECTOR_BYTES),
      clusterSize: target.clusterSize ?? DEFAULT_CLUSTER_BYTES,
      compressionType: target.compression ?? 'zlib',
    });
  }
  const logicalSectorSize = source.sectorSize === 4096 ? 4096 : SECTOR_BYTES;
  return VhdxStreamWriter.start(device, {
    virtualSize: roundUp(source.size, logicalSectorSize),
    blockSize: target.blockSize,
    logicalSectorSize,
  });
}

async function writePart(writer: SequentialWriter, part: Part, options: CopyOptions): Promise<void> {
  if (!part.isCompressed) return writer.write(part.bytes, part.guestOffset, options);
  assert(writer instanceof Qcow2StreamWriter, 'only QCOW2 compresses');
  return writer.writeCompressed(part.bytes, part.guestOffset, options);
}
