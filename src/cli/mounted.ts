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
  const volumes = target.kind === 'disk' ? volumesOf(target.image) : [target.volume];
  const mounted: Mounted[] = [];
  let failures = 0;
  for (const volume of volumes) {
    try {
      const filesystem = await volume.filesystem();
      if (filesystem !== undefined) mounted.push({ volume, filesystem });
    } catch (error) {
      if (target.kind !== 'disk') throw error;
      failures++;
      session.leaveOut(`${volumeName(volume)}: ${errorLine(error)}`);
    }
  }
  if (mounted.length + failures > 0) return mounted;
  const found = 'none that is read; "info" says what there is';
  throw notFound({ layer: 'filesystem', structure: 'disk', offset: 0, expected: 'a filesystem', found });
}

function volumesOf(image: Image): readonly Volume[] {
  if (image.partitionError !== undefined) throw image.partitionError;
  return image.volumes;
}

/** What a volume is called in messages. */
export function volumeName(volume: Volume): string {
  return volume.name === '' ? 'disk' : volume.name;
}
