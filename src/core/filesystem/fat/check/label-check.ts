import { type ReadOptions, readBytes } from '../../../device/block-device.ts';
import type { Finding } from '../../finding.ts';
import { bootExtension16, bootExtension32 } from '../boot-extension.ts';
import { SERIAL_AND_LABEL } from '../boot-facts.ts';
import { bootSector } from '../boot-sector.ts';
import { ESCAPED_E5, SLOT_BYTES } from '../directory-entry.ts';
import type { FatFileSystem } from '../fat-file-system.ts';
import { decodeLabel } from '../short-name.ts';

const LABEL_BYTES = 11;
const SPACE = 0x20;
const NO_LABEL = 'NO NAME    ';
/** FAT specification section 6.1: what no short name has in it, and so no label. */
const FORBIDDEN = new Set(Array.from('"*+,./:;<=>?[\\]|', (character) => character.charCodeAt(0)));

/** The label of the root against that of the boot sector. */
export async function* checkLabels(filesystem: FatFileSystem, options: ReadOptions): AsyncGenerator<Finding, void> {
  const inBoot = await bootLabel(filesystem, options);
  const offsets = await rootLabels(filesystem, options);
  const [first, second] = offsets;
  const tell = (code: string, message: string): Finding => ({
    severity: 'error',
    code,
    structure: 'volume label',
    offset: first ?? inBoot.offset,
    message,
  });
  const shown = (bytes: Uint8Array): string => `"${decodeLabel(filesystem.codePage, bytes)}"`;
  if (first === undefined) {
    if (isNone(inBoot.bytes)) return;
    if (inBoot.isThere)
      yield tell('label-only-in-boot-sector', `the boot sector has the label ${shown(inBoot.bytes)}, the root none`);
    else yield tell('label-missing', 'the boot sector has no place for a label, not even for "NO NAME"');
    return;
  }
  if (second !== undefined) {
    const message = 'the root has a second volume label';
    yield { severity: 'warning', code: 'label-twice', structure: 'directory entry', offset: second, message };
  }
  const label = await readBytes(filesystem.device, first, SLOT_BYTES, options);
  if (label[0] === ESCAPED_E5) label[0] = 0xe5;
  const inRoot = label.subarray(0, LABEL_BYTES);
  const fault = labelFault(inRoot);
  if (fault !== undefined) yield tell('label-bad', `the label ${shown(inRoot)} of the root ${fault}`);
  if (isNone(inRoot) && isNone(inBoot.bytes)) return;
  if (Buffer.compare(inRoot, inBoot.bytes) === 0) return;
  const what = inBoot.isThere && !isNone(inBoot.bytes) ? `has the label ${shown(inBoot.bytes)}` : 'has no label';
  yield tell('label-differs', `the root has the label ${shown(inRoot)}, and the boot sector ${what}`);
}

function isNone(label: Uint8Array): boolean {
  return Buffer.from(label).toString('latin1') === NO_LABEL;
}

/** fsck.fat takes an extension without a label for a label of zeros. */
async function bootLabel(
  { device, geometry }: FatFileSystem,
  options: ReadOptions,
): Promise<{ readonly bytes: Uint8Array; readonly offset: number; readonly isThere: boolean }> {
  const table = geometry.entryBits === 32 ? bootExtension32 : bootExtension16;
  const { extendedSignature, label } = table.parse(
    await readBytes(device, geometry.bootOffset, bootSector.size, options),
  );
  const isThere = extendedSignature === SERIAL_AND_LABEL;
  return { bytes: isThere ? label : new Uint8Array(LABEL_BYTES), offset: table.fields.label.offset, isThere };
}

/** Where the first labels of the root stand. */
async function rootLabels(filesystem: FatFileSystem, options: ReadOptions): Promise<number[]> {
  const root = await filesystem.root(options);
  const offsets: number[] = [];
  for await (const batch of root.decode(options)) {
    for (const { kind, deleted, offset } of batch) if (kind === 'label' && !deleted) offsets.push(offset);
    if (offsets.length > 1) break;
  }
  return offsets;
}

function labelFault(label: Uint8Array): string | undefined {
  if (label.every((byte) => byte === SPACE)) return 'is empty';
  if (label[0] === SPACE) return 'begins with a space';
  const at = label.findIndex((byte) => byte < SPACE || FORBIDDEN.has(byte));
  return at < 0 ? undefined : `has the byte 0x${label[at]!.toString(16)}`;
}
