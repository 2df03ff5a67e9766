import type { BlockDevice } from '../device/block-device.ts';
import { findSignature, type Signature } from '../device/signature.ts';

/** Image formats that we do not read, by the magic bytes of their own specifications. */
const FOREIGN_FORMATS: readonly Signature[] = [
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
  { name: 'Bochs', offset: 0, magic: 'Bochs Virtual HD Image' },
  { name: 'cloop', offset: 0, magic: '#!/bin/sh\n#V2.0 Format\n' },
];

/** Those that are told by their last sector; in bytes. */
const FOOTER_BYTES = 512;
const FOREIGN_FOOTERS: readonly Omit<Signature, 'offset'>[] = [
  { name: 'VHD of fixed size', magic: 'conectix' },
  { name: 'DMG', magic: 'koly' },
];

/** The format whose magic bytes the device bears and that we do not read; undefined when there is none. */
export function identifyForeign(device: BlockDevice): Promise<Signature | undefined> {
  return findSignature(device, FOREIGN_FORMATS);
}

/** The same for formats that have nothing at their beginning: asked when nothing else matches, for the end may be a guest's. */
export function identifyForeignFooter(device: BlockDevice): Promise<Signature | undefined> {
  const offset = device.size - FOOTER_BYTES;
  if (offset < 0) return Promise.resolve(undefined);
  return findSignature(
    device,
    FOREIGN_FOOTERS.map((footer) => ({ ...footer, offset })),
  );
}
