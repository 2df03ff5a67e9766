/** Words of `i_block`. */
export const I_BLOCK_WORDS = 15;

/** Inodes with a meaning of their own (`ext4.h`, EXT4_BAD_INO and following). */
export const BAD_BLOCKS_INODE = 1;
export const ROOT_INODE = 2;
export const USER_QUOTA_INODE = 3;
export const GROUP_QUOTA_INODE = 4;
export const BOOT_LOADER_INODE = 5;
export const RESIZE_INODE = 7;
export const JOURNAL_INODE = 8;

/** `EXT4_LINK_MAX`: directories with more links tell 1. */
export const MAX_LINKS = 65000;
/** `s_creator_os`. */
export const CREATOR_HURD = 1;
