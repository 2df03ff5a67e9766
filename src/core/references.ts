import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { encodeName, unescapeText } from './bytes/text.ts';
import { fileIdentity, systemError } from './device/file-device.ts';
import { DiskError, type DiskErrorDetails, denied, type Remedy, unsupported } from './errors.ts';
import type { Reference } from './format.ts';

const resolveLinks = promisify(fs.realpath.native);

/** How far files named inside an image may be opened. */
export interface ReferencePolicy {
  /** `beside` (the default): regular files in the image's directory or below. `none`: no file at all. */
  readonly references?: 'beside' | 'none' | undefined;
  /** Files and directories that are allowed as well. */
  readonly allowReferences?: readonly string[] | undefined;
}

/** A file that an image names and that may be opened: symbolic links resolved, and what allows it, in words. */
export interface AllowedReference {
  readonly path: string;
  readonly rule: string;
}

/**
 * The path of a file that an image names, once the policy allows it.
 * `imagePath` is the image that names it: a relative name is relative to its directory; undefined for an image in no
 * directory (standard input), which has nothing beside it.
 */
export async function resolveReference(
  reference: Reference,
  imagePath: string | undefined,
  policy: ReferencePolicy,
): Promise<AllowedReference> {
  const details = referenceDetails(reference);
  if (policy.references === 'none') throw denied({ ...details, found: 'references are switched off' });
  const { folder, target } = await locateReference(reference, imagePath);
  if (folder !== undefined && isInside(target, folder)) return { path: target, rule: 'beside the image' };
  for (const allowed of policy.allowReferences ?? []) {
    if (isInside(target, await allowedPath(allowed))) return { path: target, rule: `allowed by name: ${allowed}` };
  }
  throw denied({
    ...details,
    expected: `a file ${folder === undefined ? 'that' : `in ${folder} or below, or one that`} is allowed by name`,
    found: target,
    remedies: ['allowReference', ...(details.remedies ?? [])],
  });
}

/**
 * Where the file is that an image names, whether or not the policy would have it opened, and the folder of the image; symbolic
 * links resolved.
 */
export async function locateReference(
  reference: Reference,
  imagePath: string | undefined,
): Promise<{ readonly folder: string | undefined; readonly target: string }> {
  const details = referenceDetails(reference);
  if (reference.name.includes('\0')) throw unsupported({ ...details, expected: 'a file name', found: 'a NUL in it' });
  const name = plainFileName(reference);
  refuseNetworkName(name, details);
  const folder = imagePath === undefined ? undefined : path.dirname(await realPath(imagePath));
  if (folder === undefined && !path.isAbsolute(name))
    throw denied({ ...details, expected: 'an absolute path', found: 'an image that lies in no folder' });
  return { folder, target: await realPath(path.resolve(folder ?? '', name)) };
}

/**
 * The other file that QEMU would take for a relative name when the image was opened by a link that lies in another folder: QEMU
 * looks beside the link. Undefined where there is none, or where it is the same file.
 */
export async function fileBesideLink(
  reference: Reference,
  imagePath: string | undefined,
  target: string,
): Promise<string | undefined> {
  const name = plainFileName(reference);
  if (imagePath === undefined || path.isAbsolute(name)) return undefined;
  const other = path.resolve(path.dirname(imagePath), name);
  const [there, here] = await Promise.all([fileIdentity(other), fileIdentity(target)]);
  return there === undefined || there === here ? undefined : other;
}

/** What every error about a reference says; the offset is that of its name. Only a backing file can be done without. */
export function referenceDetails({
  kind,
  name,
  offset,
}: Reference): Pick<DiskErrorDetails, 'layer' | 'structure' | 'offset' | 'remedies'> {
  const remedies: readonly Remedy[] = kind === 'backing file' ? ['leaveBackingOut'] : [];
  return { layer: 'reference', structure: `${kind} ${name}`, offset, remedies };
}

/** A failure to open the named file, told as one of the reference: a path alone does not say who names it. Others stay themselves. */
export function referenceError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof DiskError) || error.layer !== 'file') return error;
  const { code, structure, found } = error;
  return new DiskError(code, {
    ...referenceDetails(reference),
    // An error has escaped it already.
    expected: structure === undefined ? 'the file' : `the file ${unescapeText(structure)}`,
    found,
    cause: error,
  });
}

/** QEMU's names may carry a protocol (`nbd://...`, `json:{...}`); only plain files are opened. UNSUPPORTED for another. */
export function plainFileName(reference: Reference): string {
  const name =
    reference.name.startsWith('file:') && !reference.name.startsWith('file://')
      ? reference.name.slice('file:'.length)
      : reference.name;
  // QEMU's rule: a colon before the first slash is a protocol.
  const protocol = /^([^/:]*):/.exec(name)?.[1];
  const isDrive = process.platform === 'win32' && protocol?.length === 1;
  if (protocol !== undefined && !isDrive) {
    throw unsupported({ ...referenceDetails(reference), expected: 'a plain file', found: `the protocol ${protocol}` });
  }
  return Buffer.from(encodeName(name)).toString();
}

/** On Windows merely looking a name like `\\host\share` up speaks to that host: no image may make us do that. */
function refuseNetworkName(name: string, details: ReturnType<typeof referenceDetails>): void {
  if (isNetworkName(name, process.platform))
    throw denied({
      ...details,
      expected: 'a file of this machine',
      found: 'the name of another machine or of a device',
    });
}

/** Whether a name is one of a network or a device (UNC, `\\?\`, `\\.\`); elsewhere than on Windows there are none. */
export function isNetworkName(name: string, platform: NodeJS.Platform): boolean {
  return platform === 'win32' && /^[\\/]{2}/.test(name);
}

/** A path that the user allows: that it is not there is nothing to tell of the image. */
async function allowedPath(name: string): Promise<string> {
  try {
    return await realPath(name);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const { code, found } = error;
    throw new DiskError(code, { layer: 'reference', structure: `allowed by name: ${name}`, found, cause: error });
  }
}

/** The path with its symbolic links resolved. */
export async function realPath(name: string): Promise<string> {
  try {
    return await resolveLinks(name);
  } catch (error) {
    throw systemError(error, name);
  }
}

function isInside(target: string, allowed: string): boolean {
  const relative = path.relative(allowed, target);
  return relative === '' || (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}
