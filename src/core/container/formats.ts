import type { BlockDevice, ResizableBlockDevice } from '../device/block-device.ts';
import type { Signature } from '../device/signature.ts';
import { notFound, unsupported } from '../errors.ts';
import type { OpenContext } from '../format.ts';
import type {
  Container,
  ContainerFormat,
  ContainerFormatName,
  ContainerOptions,
  WritableContainer,
} from './container.ts';
import { identifyForeign, identifyForeignFooter } from './foreign-formats.ts';
import { qcow2Format } from './qcow2/qcow2-format.ts';
import { rawFormat } from './raw.ts';
import { vhdxFormat } from './vhdx/vhdx-format.ts';

/** Every container format, in the order they are tried; raw, which matches everything, stands last. */
export const containerFormats: readonly ContainerFormat[] = [qcow2Format, vhdxFormat, rawFormat];

/** Their names, as an option takes them. */
export const containerFormatNames: readonly ContainerFormatName[] = containerFormats.map(({ name }) => name);

/**
 * Opens the container that `device` holds: the format named, or the first whose magic matches. A magic of a format that we do
 * not read is UNSUPPORTED by its name, never raw: raw must then be asked for.
 */
export async function openContainer(
  device: BlockDevice,
  context: OpenContext,
  formatName?: string | undefined,
  options: ContainerOptions = {},
): Promise<Container> {
  const format = await formatOf(device, formatName);
  refuseMeaningless(format, options);
  return format.open(device, context, options);
}

/** The same to write to it; UNSUPPORTED for a format that is only read. */
export async function openWritableContainer(
  device: ResizableBlockDevice,
  context: OpenContext,
  formatName?: string | undefined,
): Promise<WritableContainer> {
  const format = await formatOf(device, formatName);
  if (format.openWritable !== undefined) return format.openWritable(device, context);
  const writable = containerFormats.filter(({ openWritable }) => openWritable !== undefined);
  throw unsupported({
    layer: 'container',
    expected: `a format that is written: ${writable.map(({ name }) => name).join(', ')}`,
    found: `${format.name}, which is only read`,
  });
}

async function formatOf(device: BlockDevice, formatName: string | undefined): Promise<ContainerFormat> {
  if (formatName === undefined) return probedFormat(device);
  const named = containerFormats.find(({ name }) => name === formatName);
  if (named !== undefined) return named;
  throw unsupported({ layer: 'container', expected: `one of ${containerFormatNames.join(', ')}`, found: formatName });
}

async function probedFormat(device: BlockDevice): Promise<ContainerFormat> {
  refuseForeign(await identifyForeign(device));
  for (const format of containerFormats.filter((each) => each !== rawFormat))
    if (await format.probe(device)) return format;
  refuseForeign(await identifyForeignFooter(device));
  return rawFormat;
}

/** What every format does without being asked: no reason to refuse one that knows no other way. */
const DEFAULTS: ContainerOptions = { unmapped: 'zeros' };

/**
 * An option that the format does not have would be passed over without a word, and the answer be another than was asked for. A
 * log may be that of a filesystem in the container.
 */
function refuseMeaningless(format: ContainerFormat, options: ContainerOptions): void {
  const asked = (['snapshot', 'passphrase', 'unmapped'] as const).find(
    (name) => options[name] !== undefined && options[name] !== DEFAULTS[name] && !format.options.includes(name),
  );
  if (asked === undefined) return;
  // A passphrase is named, never printed.
  const details = { layer: 'container', structure: format.name, expected: 'an option that the format has' };
  if (asked === 'snapshot')
    throw notFound({ ...details, expected: 'a format with snapshots', found: options.snapshot });
  throw unsupported({ ...details, found: asked });
}

function refuseForeign(foreign: Signature | undefined): void {
  if (foreign === undefined) return;
  throw unsupported({
    layer: 'container',
    structure: 'magic bytes',
    offset: foreign.offset,
    expected: `one of ${containerFormatNames.join(', ')}`,
    found: `${foreign.name}, which is not read yet (as raw bytes only when raw is asked for)`,
  });
}
