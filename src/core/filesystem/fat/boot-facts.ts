import { hasBit } from '../../bytes/bits.ts';
import { bootExtension16, bootExtension32 } from './boot-extension.ts';
import { bootSector } from './boot-sector.ts';
import type { CodePage } from './code-page.ts';
import type { FatGeometry } from './geometry.ts';
import { decodeLabel } from './short-name.ts';

export const SERIAL_AND_LABEL = 0x29;
const SERIAL_ONLY = 0x28;
/** What tools write when there is no label. */
const NO_LABEL = 'NO NAME';

/** What the boot sector tells beyond the geometry. */
export interface BootFacts {
  readonly oemName: string;
  /** As DOS prints it: `1234-ABCD`. */
  readonly serialNumber: string | undefined;
  /** Empty when there is none. */
  readonly label: string;
  readonly media: number;
  readonly hiddenSectors: number;
  readonly dirty: boolean;
  readonly surfaceTestWanted: boolean;
  /** Of the byte that holds the last two. */
  readonly stateOffset: number;
}

export function readBootFacts(sector: Uint8Array, geometry: FatGeometry, codePage: CodePage): BootFacts {
  const boot = bootSector.parse(sector);
  const table = geometry.entryBits === 32 ? bootExtension32 : bootExtension16;
  const extension = table.parse(sector);
  const hasLabel = extension.extendedSignature === SERIAL_AND_LABEL;
  const hasSerial = hasLabel || extension.extendedSignature === SERIAL_ONLY;
  const label = hasLabel ? decodeLabel(codePage, extension.label) : '';
  return {
    oemName: codePage.decode(boot.oemName, 0, boot.oemName.length).trimEnd(),
    serialNumber: hasSerial ? formatSerial(extension.serialNumber) : undefined,
    label: label === NO_LABEL ? '' : label,
    media: boot.media,
    hiddenSectors: boot.hiddenSectors,
    dirty: hasSerial && hasBit(extension.state, 0),
    surfaceTestWanted: hasSerial && hasBit(extension.state, 1),
    stateOffset: table.fields.state.offset,
  };
}

function formatSerial(serial: number): string {
  const hex = serial.toString(16).toUpperCase().padStart(8, '0');
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}
