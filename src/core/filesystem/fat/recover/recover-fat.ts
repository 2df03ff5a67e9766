import type { RecoverableFile, RecoverableOptions } from '../../recoverable-file.ts';
import { TreeScan } from '../check/tree-scan.ts';
import { ClusterClaims } from '../cluster-claims.ts';
import { usedFatBytes } from '../fat-copies.ts';
import type { FatFileSystem } from '../fat-file-system.ts';
import { deletedFiles } from './deleted-files.ts';
import { LostFiles } from './lost-files.ts';

/** Parts of the search, for its progress; each reads about as much as the FAT is long. */
const PARTS = 3;

/** Everything that no directory lists any more: deleted files first, by directory; then the chains that nobody has. */
export async function* recoverFat(
  filesystem: FatFileSystem,
  options: RecoverableOptions = {},
): AsyncGenerator<RecoverableFile, void> {
  const { device, table, codePage, geometry } = filesystem;
  const unit = usedFatBytes(geometry);
  const progress = (part: number): void => options.onProgress?.({ done: part * unit, total: PARTS * unit });
  progress(0);
  const owned = new ClusterClaims(table);
  const quiet = { find: () => undefined, shared: () => undefined };
  for await (const _ of new TreeScan(device, owned, codePage, quiet).run(options)) options.signal?.throwIfAborted();
  progress(1);
  const lost = await LostFiles.find(filesystem, owned, options);
  progress(2);
  const root = { directory: await filesystem.root(options), firstCluster: geometry.rootCluster, prefix: '/' };
  yield* deletedFiles(filesystem, [root, ...lost.starts], options);
  yield* lost.files(options);
  progress(PARTS);
}
