import { type BlockDevice, readBytes } from '../device/block-device.ts';

interface ForeignFormat {
  readonly name: string;
  /** Where the magic stands, in bytes. */
  readonly offset: number;
  readonly magic: string;
}

/** Image formats that we do not read, by the magic bytes of their own specifications. */
const FOREIGN_FORMATS: readonly ForeignFormat[] = [
  { name: 'VHDX', offset: 0, magic: 'vhdxfile' },
  { name: 'VHD', offset: 0, magic: 'conectix' },
  { name: 'VMDK', offset: 0, magic: 'KDMV' },
  { name: 'VMDK (ESX)', offset: 0, magic: 'COWD' },
  { name: 'VMDK descriptor', offset: 0, magic: '# Disk DescriptorFile' },
  { name: 'VDI', offset: 0x40, magic: '\x7f\x10\xda\xbe' },
  { name: 'QED', offset: 0, magic: 'QED\0' },
  { name: 'Parallels', offset: 0, magic: 'WithoutFreeSpace' },
  { name: 'Parallels', offset: 0, magic: 'WithouFreSpacExt' },
  { name: 'EWF (E01)', offset: 0, magic: 'EVF\x09\x0d\x0a\xff\x00' },
  { name: 'EWF 2 (Ex01)', offset: 0, magic: 'EVF2\x0d\x0a\x81\x00' },
];

const PROBE_BYTES = Math.max(...FOREIGN_FORMATS.map(({ offset, magic }) => offset + magic.length));

/** The format whose magic bytes the device bears and that we do not read; undefined when there is none. */
export async function identifyForeign(device: BlockDevice): Promise<ForeignFormat | undefined> {
  const head = Buffer.from(await readBytes(device, 0, Math.min(device.size, PROBE_BYTES)));
  return FOREIGN_FORMATS.find(({ offset, magic }) => head.toString('latin1', offset, offset + magic.length) === magic);
}
