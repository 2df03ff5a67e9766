import fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemError } from '../device/file-device.ts';
import { denied } from '../errors.ts';

/** A name beside the target that nobody else uses, so that the finished file can be renamed into place. */
export function temporaryName(path: string): string {
  return `${path}.${Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString('hex')}.part`;
}

/** Refuses a target that is there already, unless it may be replaced, and one in no folder; nothing is opened. */
export async function checkTarget(path: string, overwrite: boolean): Promise<void> {
  const stat = await fs.lstat(path).catch(() => undefined);
  if (stat === undefined) return checkFolder(dirname(path));
  if (overwrite && stat.isFile()) return;
  throw denied({
    layer: 'output',
    structure: path,
    remedies: stat.isFile() ? ['replaceFile'] : [],
    expected: overwrite ? 'a regular file to replace' : 'a new file (or the word to replace it)',
    found: stat.isFile() ? 'a file of that name' : 'something that is no regular file',
  });
}

/** A folder that is there: the name that is wrong is the folder's, not that of what is made in it. */
export async function checkFolder(folder: string): Promise<void> {
  const stat = await fs.stat(folder).catch((error: unknown) => {
    throw systemError(error, folder);
  });
  if (stat.isDirectory()) return;
  throw denied({ layer: 'output', structure: folder, expected: 'a folder', found: 'a file' });
}

/**
 * Makes a file whole or not at all: `fill` writes to a temporary name beside it (its second argument), which is renamed when
 * everything is written, and removed when anything fails or is canceled.
 */
export async function writeNewFile(
  path: string,
  overwrite: boolean,
  fill: (file: fs.FileHandle, temporary: string) => Promise<void>,
): Promise<void> {
  await checkTarget(path, overwrite);
  const temporary = temporaryName(path);
  try {
    const file = await fs.open(temporary, 'wx');
    try {
      await fill(file, temporary);
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    if ((error as Error).name === 'AbortError') throw error;
    throw systemError(error, path);
  }
}
