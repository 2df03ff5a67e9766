import { toolText } from '../../helpers/tools.ts';
import { debugfsFacts } from './debugfs-facts.ts';

/** node write-debugfs-facts.js IMAGE: the facts of an image as JSON, for fixtures/ext/build.sh. Nothing of our reader is in it. */
const HASH_LIMIT = 64 * 1024 * 1024;

const image = process.argv[2]!;
const header = await toolText('dumpe2fs', ['-h', image]);
const field = (name: string): string => new RegExp(`^${name}:[ \\t]+(.*)$`, 'm').exec(header)?.[1] ?? '';
const type = (await toolText('blkid', ['-p', '-s', 'TYPE', '-o', 'value', image])).trim();
const nodes = await debugfsFacts(image, HASH_LIMIT);
const filesystem = {
  type,
  label: field('Filesystem volume name').replace('<none>', ''),
  uuid: field('Filesystem UUID'),
  features: field('Filesystem features').split(' ').sort(),
  blockSize: Number(field('Block size')),
  blockCount: Number(field('Block count')),
  freeBlocks: Number(field('Free blocks')),
  inodeCount: Number(field('Inode count')),
  freeInodes: Number(field('Free inodes')),
  inodeSize: Number(field('Inode size')),
};
process.stdout.write(
  `{"filesystem": ${JSON.stringify(filesystem)},\n"nodes": [\n${nodes.map((node) => JSON.stringify(node)).join(',\n')}\n]}\n`,
);
