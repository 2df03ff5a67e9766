import type { BlockDevice } from '../device/block-device.ts';
import type { Format, OpenContext } from '../format.ts';
import { gptFormat } from './gpt/gpt-format.ts';
import { mbrFormat } from './mbr/mbr-format.ts';
import type { PartitionTable } from './partition-table.ts';

/** Every partition table format, in the order they are tried: GPT before MBR, because a GPT disk has a protective MBR too. */
export const partitionFormats: readonly Format<PartitionTable>[] = [gptFormat, mbrFormat];

/** The partition table of a disk, or undefined when it has none. */
export async function openPartitionTable(
  device: BlockDevice,
  context: OpenContext,
): Promise<PartitionTable | undefined> {
  for (const format of partitionFormats) if (await format.probe(device)) return format.open(device, context);
  return undefined;
}
