/** One way to damage a filesystem: what debugfs is told, or the bytes that are written over those that were there. */
export interface Damage {
  readonly name: string;
  /** Which of the sound images it is done to. */
  readonly base: BaseName;
  readonly commands?: readonly string[];
  /** After the commands: byte `at` of block `block` of a file becomes another; `absolute` counts from the image's start. */
  readonly write?: readonly Write[];
  /** Codes of findings that must be there; none for what is clean all the same. */
  readonly codes: readonly string[];
  /** What one of the findings names: its structure, or an owner. */
  readonly names?: readonly string[];
}

export interface Write {
  /** A path, `<8>`, or what a group has: its bitmaps. */
  readonly where: string;
  readonly block: number;
  readonly at: number;
  readonly bytes: readonly number[];
}

/** ext4: extents, checksums, an index; ext2: block maps; special: inline data, large attributes, an orphan file. */
export type BaseName = 'ext4' | 'ext2' | 'uninit' | 'inline' | 'special';

export const bases: Readonly<Record<BaseName, readonly string[]>> = {
  ext4: ['-t', 'ext4', '-b', '1024'],
  ext2: ['-t', 'ext2', '-b', '1024'],
  uninit: ['-t', 'ext4', '-b', '1024', '-O', '^metadata_csum,uninit_bg'],
  inline: ['-t', 'ext4', '-b', '1024', '-O', 'inline_data'],
  special: ['-t', 'ext4', '-b', '4096', '-O', 'orphan_file,mmp,ea_inode'],
};

const sif = (path: string, field: string, value: string): string => `set_inode_field ${path} ${field} ${value}`;

const inodeDamages: readonly Damage[] = [
  {
    name: 'a link too many',
    base: 'ext4',
    commands: [sif('/a', 'links_count', '5')],
    codes: ['link-count'],
    names: ['/a'],
  },
  {
    name: 'a mode of no kind',
    base: 'ext4',
    commands: [sif('/a', 'mode', '0170644')],
    codes: ['inode-field'],
    names: ['/a'],
  },
  {
    name: 'a time of deletion',
    base: 'ext4',
    commands: [sif('/a', 'dtime', '20200101')],
    codes: ['inode-deletion-time'],
    names: ['/a'],
  },
  {
    name: 'an orphan that is in use',
    base: 'ext2',
    commands: [sif('/a', 'dtime', '@12')],
    codes: ['inode-orphan'],
    names: ['/a'],
  },
  { name: 'a size too small', base: 'ext4', commands: [sif('/b', 'size', '1')], codes: ['inode-size'], names: ['/b'] },
  {
    name: 'a size too small of a block map',
    base: 'ext2',
    commands: [sif('/b', 'size', '1')],
    codes: ['inode-size'],
    names: ['/b'],
  },
  {
    name: 'a wrong count of blocks',
    base: 'ext4',
    commands: [sif('/b', 'blocks', '2')],
    codes: ['inode-block-count'],
    names: ['/b'],
  },
  {
    name: 'no extent header',
    base: 'ext4',
    commands: [sif('/b', 'block[0]', '0')],
    codes: ['extent-header'],
    names: ['/b'],
  },
  {
    name: 'an extent outside',
    base: 'ext4',
    commands: [sif('/b', 'block[5]', '99999999')],
    codes: ['extent'],
    names: ['/b'],
  },
  {
    name: 'an extent of no length',
    base: 'ext4',
    commands: [sif('/b', 'block[4]', '0')],
    codes: ['extent'],
    names: ['/b'],
  },
  {
    name: 'a pointer outside',
    base: 'ext2',
    commands: [sif('/b', 'block[2]', '99999999')],
    codes: ['block-pointer'],
    names: ['/b'],
  },
  {
    name: 'an indirect block outside',
    base: 'ext2',
    commands: [sif('/b', 'block[IND]', '99999999')],
    codes: ['block-pointer'],
    names: ['/b'],
  },
  {
    name: 'a file on metadata',
    base: 'ext2',
    commands: [sif('/b', 'block[0]', '3')],
    codes: ['block-claimed-twice'],
    names: ['/b'],
  },
  {
    name: 'flags for an index on a file',
    base: 'ext4',
    commands: [sif('/a', 'flags', '0x81000')],
    codes: ['inode-flags'],
    names: ['/a'],
  },
  {
    name: 'extents on a filesystem without',
    base: 'ext2',
    commands: [sif('/a', 'flags', '0x80000')],
    codes: ['inode-flags'],
    names: ['/a'],
  },
  {
    name: 'an extent tree without its flag',
    base: 'ext4',
    commands: [sif('/b', 'flags', '0')],
    codes: ['inode-flags'],
    names: ['/b'],
  },
  {
    name: 'inline data without its attribute',
    base: 'inline',
    commands: [sif('/b', 'flags', '0x10000000')],
    codes: ['inode-flags'],
    names: ['/b'],
  },
  {
    name: 'a link shorter than its target',
    base: 'ext4',
    commands: [sif('/link', 'size', '2')],
    codes: ['inode-field'],
    names: ['/link'],
  },
  {
    name: 'a pipe with a size',
    base: 'ext4',
    commands: [sif('/pipe', 'size', '9')],
    codes: ['inode-size'],
    names: ['/pipe'],
  },
  {
    name: 'a device with extents',
    base: 'ext4',
    commands: [sif('/pipe', 'flags', '0x80000')],
    codes: ['inode-field'],
    names: ['/pipe'],
  },
  {
    name: 'attributes in no block',
    base: 'ext4',
    commands: [sif('/a', 'file_acl', '99999999')],
    codes: ['inode-field'],
    names: ['/a'],
  },
  { name: 'a fragment', base: 'ext4', commands: [sif('/a', 'faddr', '7')], codes: ['inode-field'], names: ['/a'] },
  {
    name: 'extra fields of no size',
    base: 'ext4',
    commands: [sif('/a', 'extra_isize', '7')],
    codes: ['inode-extra-size'],
    names: ['/a'],
  },
  { name: 'the root is a file', base: 'ext4', commands: [sif('/', 'mode', '0100755')], codes: ['reserved-inode'] },
  {
    name: 'a reserved inode is a file',
    base: 'ext4',
    commands: [sif('<9>', 'mode', '0100644')],
    codes: ['reserved-inode'],
  },
  {
    name: 'the inode of bad blocks is a file',
    base: 'ext4',
    commands: [sif('<1>', 'mode', '0100644')],
    codes: ['reserved-inode'],
  },
  {
    name: 'casefold on a file',
    base: 'ext4',
    commands: [sif('/a', 'flags', '0x40080000')],
    codes: ['inode-flags'],
    names: ['/a'],
  },
  {
    name: 'encrypted without a policy',
    base: 'ext4',
    commands: [sif('/a', 'flags', '0x80800')],
    codes: ['encryption-policy'],
    names: ['/a'],
  },
  {
    name: 'a directory of no whole blocks',
    base: 'ext4',
    commands: [sif('/d', 'size', '1000')],
    codes: ['inode-size'],
    names: ['/d'],
  },
  {
    name: 'a checksum of an inode',
    base: 'ext4',
    commands: [sif('/a', 'checksum', '0x1234')],
    codes: ['checksum-wrong'],
    names: ['/a'],
  },
  { name: 'the inode is cleared', base: 'ext4', commands: ['clri /a'], codes: ['entry-unused-inode'], names: ['/a'] },
];

const groupDamages: readonly Damage[] = [
  {
    name: 'blocks not marked',
    base: 'ext4',
    commands: ['freeb 60 2'],
    codes: ['block-not-marked'],
    names: ['block bitmap of group 0'],
  },
  {
    name: 'blocks marked',
    base: 'ext2',
    commands: ['setb 11000 4'],
    codes: ['block-leaked'],
    names: ['block bitmap of group 1'],
  },
  {
    name: 'an inode not marked',
    base: 'ext4',
    commands: ['freei /a'],
    codes: ['inode-not-marked'],
    names: ['inode bitmap of group 0'],
  },
  { name: 'an inode marked', base: 'ext2', commands: ['seti <900>'], codes: ['inode-leaked'] },
  {
    name: 'free blocks of a group',
    base: 'ext4',
    commands: ['set_bg 1 free_blocks_count 5', 'set_bg 1 checksum calc'],
    codes: ['group-free-count'],
    names: ['group descriptor 1'],
  },
  {
    name: 'free inodes of a group',
    base: 'ext2',
    commands: ['set_bg 1 free_inodes_count 5'],
    codes: ['group-free-count'],
    names: ['group descriptor 1'],
  },
  {
    name: 'directories of a group',
    base: 'ext4',
    commands: ['set_bg 0 used_dirs_count 77', 'set_bg 0 checksum calc'],
    codes: ['directory-count'],
    names: ['group descriptor 0'],
  },
  {
    name: 'the sum of a block bitmap',
    base: 'ext4',
    commands: ['set_bg 0 block_bitmap_csum 77', 'set_bg 0 checksum calc'],
    codes: ['checksum-wrong'],
    names: ['block bitmap of group 0'],
  },
  {
    name: 'the sum of an inode bitmap',
    base: 'ext4',
    commands: ['set_bg 0 inode_bitmap_csum 77', 'set_bg 0 checksum calc'],
    codes: ['checksum-wrong'],
    names: ['inode bitmap of group 0'],
  },
  {
    name: 'the sum of a descriptor',
    base: 'ext4',
    commands: ['set_bg 1 checksum 0x1234'],
    codes: ['checksum-wrong'],
    names: ['group descriptor 1'],
  },
  {
    name: 'the older sum of a descriptor',
    base: 'uninit',
    commands: ['set_bg 1 checksum 0x1234'],
    codes: ['checksum-wrong'],
    names: ['group descriptor 1'],
  },
  {
    name: 'inodes that were never used',
    base: 'uninit',
    commands: ['set_bg 0 itable_unused 1500', 'set_bg 0 free_inodes_count 1500', 'set_bg 0 checksum calc'],
    codes: ['entry-unused-inode'],
  },
  {
    name: 'a group of inodes never written',
    base: 'uninit',
    commands: ['set_bg 0 flags 5', 'set_bg 0 checksum calc'],
    codes: ['root-missing'],
  },
  {
    name: 'flags without checksums',
    base: 'ext2',
    commands: ['set_bg 1 flags 1'],
    codes: ['group-uninitialized'],
    names: ['group descriptor 1'],
  },
  {
    name: 'free blocks of all',
    base: 'ext4',
    commands: ['ssv free_blocks_count 7'],
    codes: ['free-count'],
    names: ['superblock'],
  },
  {
    name: 'free inodes of all',
    base: 'ext4',
    commands: ['ssv free_inodes_count 7'],
    codes: ['free-count'],
    names: ['superblock'],
  },
  {
    name: 'blocks reserved for descriptors without their feature',
    base: 'ext4',
    commands: ['feature ^resize_inode'],
    codes: ['resize-inode'],
  },
  {
    name: 'a wrong feature: no large_file',
    base: 'ext4',
    commands: [sif('/b', 'size', '3000000000'), 'feature ^large_file'],
    codes: ['superblock-field'],
  },
  { name: 'no index where one is', base: 'ext4', commands: ['feature ^dir_index'], codes: ['inode-flags'] },
  { name: 'an orphan list', base: 'ext4', commands: ['ssv last_orphan 12'], codes: ['orphan'] },
  { name: 'the errors flag', base: 'ext4', commands: ['ssv state 2'], codes: ['state'] },
];

const directoryDamages: readonly Damage[] = [
  { name: 'an entry gone', base: 'ext4', commands: ['unlink /a'], codes: ['inode-unattached'] },
  {
    name: 'a directory gone',
    base: 'ext4',
    commands: ['unlink /d'],
    codes: ['directory-unconnected', 'directory-parent'],
  },
  { name: 'an entry too many', base: 'ext4', commands: ['link /a /second'], codes: ['link-count'], names: ['/a'] },
  { name: 'two entries for a directory', base: 'ext4', commands: ['link /d /second'], codes: ['entry-link'] },
  { name: 'an entry for a reserved inode', base: 'ext2', commands: ['link <8> /journal'], codes: ['entry-inode'] },
  {
    name: 'a record of no length',
    base: 'ext2',
    write: [{ where: '/d', block: 0, at: 28, bytes: [0, 0] }],
    codes: ['directory-record'],
    names: ['/d'],
  },
  {
    name: 'no dot',
    base: 'ext2',
    write: [{ where: '/d', block: 0, at: 8, bytes: [0x78] }],
    codes: ['directory-dot'],
    names: ['/d'],
  },
  {
    name: 'a dot of another',
    base: 'ext2',
    write: [{ where: '/d', block: 0, at: 0, bytes: [2, 0, 0, 0] }],
    codes: ['directory-dot'],
    names: ['/d'],
  },
  {
    name: 'no dot dot',
    base: 'ext2',
    write: [{ where: '/d', block: 0, at: 20, bytes: [0x78] }],
    codes: ['directory-dot'],
    names: ['/d'],
  },
  {
    name: 'a wrong dot dot',
    base: 'ext2',
    write: [{ where: '/d', block: 0, at: 12, bytes: [11, 0, 0, 0] }],
    codes: ['directory-parent'],
    names: ['/d'],
  },
  {
    name: 'an inode that is none',
    base: 'ext2',
    write: [{ where: '/d', block: 0, at: 24, bytes: [255, 255, 255, 0] }],
    codes: ['entry-inode'],
    names: ['/d'],
  },
  {
    name: 'a slash in a name',
    base: 'ext2',
    write: [{ where: '/d', block: 0, at: 33, bytes: [0x2f] }],
    codes: ['entry-name'],
    names: ['/d'],
  },
  {
    name: 'a wrong type',
    base: 'ext2',
    write: [{ where: '/d', block: 0, at: 31, bytes: [2] }],
    codes: ['entry-type'],
    names: ['/d'],
  },
  { name: 'no type', base: 'ext2', write: [{ where: '/d', block: 0, at: 31, bytes: [0] }], codes: [] },
  {
    name: 'a directory in itself',
    base: 'ext2',
    write: [{ where: '/', block: 0, at: 24, bytes: [2, 0, 0, 0] }],
    codes: ['entry-link'],
  },
  {
    name: 'the sum of a directory block',
    base: 'ext4',
    write: [{ where: '/d', block: 0, at: 1020, bytes: [1, 2, 3, 4] }],
    codes: ['checksum-wrong'],
    names: ['/d'],
  },
  {
    name: 'a directory block of no sum',
    base: 'ext4',
    write: [{ where: '/d', block: 0, at: 1012, bytes: [1, 2, 3, 4] }],
    codes: ['checksum-missing'],
    names: ['/d'],
  },
  {
    name: 'the kind of hash of an index',
    base: 'ext2',
    write: [{ where: '/many', block: 0, at: 28, bytes: [9] }],
    codes: ['index-root'],
    names: ['/many'],
  },
  {
    name: 'the levels of an index',
    base: 'ext2',
    write: [{ where: '/many', block: 0, at: 30, bytes: [7] }],
    codes: ['index-root'],
    names: ['/many'],
  },
  {
    name: 'the limit of an index',
    base: 'ext2',
    write: [{ where: '/many', block: 0, at: 32, bytes: [7, 0] }],
    codes: ['index-limit'],
    names: ['/many'],
  },
  {
    name: 'a block of an index that is none',
    base: 'ext2',
    write: [{ where: '/many', block: 0, at: 44, bytes: [200, 0, 0, 0] }],
    codes: ['index-block'],
    names: ['/many'],
  },
  {
    name: 'a block twice in an index',
    base: 'ext2',
    write: [{ where: '/many', block: 0, at: 44, bytes: [1, 0, 0, 0] }],
    codes: ['index-reference'],
    names: ['/many'],
  },
  {
    name: 'the order of an index',
    base: 'ext2',
    write: [{ where: '/many', block: 0, at: 40, bytes: [254, 255, 255, 255] }],
    codes: ['index-order', 'index-hash'],
    names: ['/many'],
  },
  {
    name: 'the sum of an index',
    base: 'ext4',
    write: [{ where: '/many', block: 0, at: 1020, bytes: [1, 2, 3, 4] }],
    codes: ['checksum-wrong'],
    names: ['/many'],
  },
  {
    name: 'inline data of a directory',
    base: 'inline',
    commands: [sif('/small', 'block[2]', '0x00010008')],
    codes: ['directory-record'],
    names: ['/small'],
  },
  {
    name: 'a parent in inline data',
    base: 'inline',
    commands: [sif('/small', 'block[0]', '12')],
    codes: ['directory-parent'],
    names: ['/small'],
  },
];

const otherDamages: readonly Damage[] = [
  {
    name: 'the magic of an extent block',
    base: 'ext4',
    write: [{ where: 'map of /sparse', block: 0, at: 0, bytes: [0, 0] }],
    codes: ['extent-header'],
    names: ['/sparse'],
  },
  {
    name: 'the sum of an extent block',
    base: 'ext4',
    write: [{ where: 'map of /sparse', block: 0, at: 1020, bytes: [1, 2, 3, 4] }],
    codes: ['checksum-wrong'],
    names: ['/sparse'],
  },
  {
    name: 'the magic of an attribute block',
    base: 'ext2',
    write: [{ where: 'attributes of /b', block: 0, at: 3, bytes: [0] }],
    codes: ['attribute'],
    names: ['/b'],
  },
  {
    name: 'the references of an attribute block',
    base: 'ext2',
    write: [{ where: 'attributes of /b', block: 0, at: 4, bytes: [3] }],
    codes: ['attribute-references'],
  },
  {
    name: 'the hash of an attribute',
    base: 'ext2',
    write: [{ where: 'attributes of /b', block: 0, at: 44, bytes: [1, 2, 3, 4] }],
    codes: ['attribute'],
    names: ['/b'],
  },
  {
    name: 'the sum of an attribute block',
    base: 'ext4',
    write: [{ where: 'attributes of /b', block: 0, at: 16, bytes: [1, 2, 3, 4] }],
    codes: ['checksum-wrong'],
    names: ['/b'],
  },
  {
    name: 'the magic of the journal',
    base: 'ext4',
    write: [{ where: '<8>', block: 0, at: 0, bytes: [0] }],
    codes: ['journal'],
  },
  { name: 'the journal is no file', base: 'ext4', commands: [sif('<8>', 'mode', '040755')], codes: ['journal'] },
  {
    name: 'a journal with changes on a filesystem that needs none',
    base: 'uninit',
    write: [{ where: '<8>', block: 0, at: 0x1c, bytes: [0, 0, 0, 1] }],
    codes: ['journal'],
  },
  {
    name: 'the orphan file names one',
    base: 'special',
    write: [{ where: '<12>', block: 0, at: 0, bytes: [13, 0, 0, 0] }],
    codes: ['orphan-file'],
  },
  {
    name: 'the magic of the orphan file',
    base: 'special',
    write: [{ where: '<12>', block: 0, at: 4088, bytes: [0] }],
    codes: ['orphan-file'],
  },
  {
    name: 'the magic of mount protection',
    base: 'special',
    write: [{ where: 'mmp', block: 0, at: 0, bytes: [0] }],
    codes: ['mount-protection'],
  },
  {
    name: 'the sum of mount protection',
    base: 'special',
    write: [{ where: 'mmp', block: 0, at: 0x3fc, bytes: [1, 2, 3] }],
    codes: ['checksum-wrong'],
  },
  {
    name: 'the copy of the superblock',
    base: 'ext4',
    write: [{ where: 'superblock copy', block: 8193, at: 0x38, bytes: [0, 0] }],
    codes: ['superblock-copy'],
    names: ['superblock copy in block 8193'],
  },
  { name: 'nothing is wrong', base: 'ext4', codes: [] },
];

export const damages: readonly Damage[] = [...inodeDamages, ...groupDamages, ...directoryDamages, ...otherDamages];
