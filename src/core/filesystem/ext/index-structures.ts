import { Struct, u8, u32le } from '../../bytes/struct.ts';

/** `struct dx_root_info`, behind `.` and `..` (kernel documentation, ext4 "Hash Tree Directories"). */
export const DX_ROOT_INFO = new Struct('ext', 'directory index root', {
  reserved: u32le(0),
  version: u8(4),
  infoLength: u8(5),
  levels: u8(6),
  flags: u8(7),
});
