import fs from 'node:fs/promises';
import path from 'node:path';
import { encodeName } from '../bytes/text.ts';
import { systemError } from '../device/file-device.ts';
import { DiskError, denied, unsupported } from '../errors.ts';

/** A name from the image as a path below `parent`; a name that is more or less than one name is refused. */
export function childPath(parent: Buffer, name: string): Buffer {
  const isPlain = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name) && !name.includes(path.sep);
  if (!isPlain)
    throw denied({
      layer: 'output',
      structure: name,
      expected: 'a plain file name',
      found: 'a name with a path in it',
    });
  return Buffer.concat([parent, Buffer.from(path.sep), encodeName(name)]);
}

/** Makes the folder, or takes one that is there and has nothing in it. */
export async function requireEmptyDirectory(destination: string): Promise<void> {
  const made = await fs.mkdir(destination).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  if (made || (await fs.readdir(destination)).length === 0) return;
  throw denied({
    layer: 'output',
    structure: destination,
    expected: 'a new or empty directory',
    found: 'a directory with entries',
  });
}

/** What the host refused, in words; what is wrong with the image stays itself. */
export function hostError(error: unknown, hostPath: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof DiskError || code === undefined) return error;
  if (code !== 'ENAMETOOLONG') return systemError(error, hostPath);
  const expected = 'a name that the host can give a file';
  return unsupported({ layer: 'file', structure: hostPath, expected, found: 'one that is too long', cause: error });
}
