import { type DiskError, type Target, unsupported } from '../core/index.ts';

/** For what is only of files: the place is one of bytes, and the path to write instead is named. */
export function wantsPath(layer: string, target: Exclude<Target, { kind: 'node' }>): DiskError {
  const name = target.kind === 'partition' ? target.volume.name : undefined;
  const expected = `a path, such as ${name ?? 'p1'}:/`;
  return unsupported({ layer, expected, found: `the bytes of ${name ?? 'the disk'}` });
}
