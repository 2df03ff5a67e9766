import { type FileSystem, type Image, notFound, type Target, type Volume } from '../core/index.ts';
import { errorLine } from './output.ts';
import type { Session } from './session.ts';

/** A volume with the filesystem on it. */
export interface Mounted {
  readonly volume: Volume;
  readonly filesystem: FileSystem;
}

/** The filesystem of a target, or all of a disk; one of a disk that cannot be opened is said on standard error. */
export async function filesystemsOf(target: Target, session: Session): Promise<readonly Mounted[]> {
  if (target.kind === 'node') return [target];
  if (target.kind === 'disk') {
    if (target.image.partitionError !== undefined) throw target.image.partitionError;
    return ofEachFilesystem(target.image, session, async (mounted) => mounted);
  }
  const { volume } = target;
  const filesystem = await volume.filesystem();
  if (filesystem === undefined) throw noFilesystem();
  return [{ volume, filesystem }];
}

/** What `take` makes of each filesystem of a disk; one that cannot be read, or taken so, is said on standard error. */
export async function ofEachFilesystem<Taken>(
  image: Image,
  session: Session,
  take: (mounted: Mounted) => Promise<Taken>,
): Promise<Taken[]> {
  const taken: Taken[] = [];
  let failures = 0;
  for (const volume of image.volumes) {
    try {
      const filesystem = await volume.filesystem();
      if (filesystem !== undefined) taken.push(await take({ volume, filesystem }));
    } catch (error) {
      failures++;
      session.leaveOut(`${volumeName(volume)}: ${errorLine(error)}`);
    }
  }
  if (image.partitionError !== undefined) session.leaveOut(errorLine(image.partitionError));
  // An empty answer would say that there is a filesystem, and nothing in it.
  else if (taken.length + failures === 0) throw noFilesystem();
  return taken;
}

function noFilesystem(): Error {
  const found = 'none that is read; "info" says what there is';
  return notFound({ layer: 'filesystem', structure: 'disk', offset: 0, expected: 'a filesystem', found });
}

/** What a volume is called in messages. */
export function volumeName(volume: Volume): string {
  return volume.name === '' ? 'disk' : volume.name;
}
