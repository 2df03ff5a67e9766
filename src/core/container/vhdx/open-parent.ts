import { corrupt, DiskError, type DiskErrorCode, denied, notFound } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import type { BackingLayer } from '../container.ts';
import { type LocatorValue, type ParentLocator, parseParentLocator } from './locator-values.ts';
import type { MetadataItem, VhdxMetadata } from './metadata-items.ts';
import { VhdxContainer } from './vhdx-container.ts';

/**
 * The parent of a differencing disk (MS-VHDX 2.6.2.6.3): the first of its paths that leads to a file that may be opened. It
 * must be a VHDX with the DataWriteGuid and the sectors that the child knows. When no path does, the error names them all.
 */
export async function openParent(metadata: VhdxMetadata, context: OpenContext): Promise<BackingLayer | undefined> {
  if (metadata.parentLocator === undefined) return undefined;
  const locator = parseParentLocator(metadata.parentLocator);
  const failures: { readonly path: LocatorValue; readonly error: DiskError }[] = [];
  for (const path of locator.paths) {
    try {
      const name = hostPath(path.text);
      const device = await context.openReference({ kind: 'parent', name, format: 'vhdx', offset: path.offset });
      return { name, device: checkParent(device, locator, metadata, path) };
    } catch (error) {
      if (!(error instanceof DiskError) || !isUnreachable(error)) throw error;
      failures.push({ path, error });
    }
  }
  throw unreachable(failures, metadata.parentLocator);
}

/** Windows' separators mean nothing elsewhere. */
function hostPath(path: string): string {
  return process.platform === 'win32' ? path : path.replaceAll('\\', '/');
}

/**
 * Whether another path may still work: the file is not there, not allowed, or named as only another machine can (a drive
 * letter is a protocol to the policy). What is wrong inside a file that is there is an answer.
 */
function isUnreachable({ code, layer }: DiskError): boolean {
  if (layer !== 'file' && layer !== 'reference') return false;
  return code === 'NOT_FOUND' || code === 'DENIED' || code === 'UNSUPPORTED';
}

function unreachable(
  failures: readonly { readonly path: LocatorValue; readonly error: DiskError }[],
  { offset }: MetadataItem,
): DiskError {
  const code: DiskErrorCode = failures.some(({ error }) => error.code === 'DENIED') ? 'DENIED' : 'NOT_FOUND';
  const details = {
    layer: 'vhdx',
    structure: 'parent locator',
    offset,
    expected: 'a parent that can be opened',
    found: failures
      .map(({ path, error }) => `${path.text} (${error.code}: ${error.found ?? error.message})`)
      .join('; '),
    cause: failures[0]!.error,
  };
  return code === 'DENIED' ? denied(details) : notFound(details);
}

function checkParent(
  device: BackingLayer['device'],
  { linkages }: ParentLocator,
  { logicalSectorSize }: VhdxMetadata,
  { text, offset }: LocatorValue,
): VhdxContainer {
  const details = { layer: 'vhdx', structure: `parent ${text}`, offset };
  if (!(device instanceof VhdxContainer)) throw corrupt({ ...details, expected: 'a VHDX file', found: 'another' });
  if (!linkages.includes(device.dataWriteGuid)) {
    const expected = `a parent with the DataWriteGuid ${linkages.join(' or ')}`;
    throw corrupt({ ...details, expected, found: device.dataWriteGuid });
  }
  if (device.sectorSize !== logicalSectorSize) {
    const expected = `a parent with logical sectors of ${logicalSectorSize} bytes`;
    throw corrupt({ ...details, expected, found: device.sectorSize });
  }
  return device;
}
