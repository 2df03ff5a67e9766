import type { Command } from 'commander';
import {
  type BlockDevice,
  escapeText,
  fileDevice,
  formatLocator,
  type Target,
  unsupported,
  walk,
} from '../../core/index.ts';
import { addDeletedOption, type DeletedOption } from '../deleted-option.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { errorLine } from '../output.ts';
import type { ImageOptions, Session } from '../session.ts';
import { allBytes, deviceOf } from '../target-bytes.ts';

interface HashOptions extends ImageOptions, DeletedOption {
  readonly algorithm: string;
}

interface Hashed {
  readonly locator: string;
  readonly size: number;
  readonly algorithm: string;
  readonly hash: string;
}

/** Loaded when wanted: it costs every command a tenth of its time. */
const crypto = () => process.getBuiltinModule('node:crypto');

export function registerHash(host: Host): void {
  addImageCommand<HashOptions>(host, {
    usage: 'hash <image> [locator]',
    description: 'the hash of the disk, a partition or a file; of every file below a directory',
    examples: [
      'sectorscope hash disk.qcow2',
      'sectorscope hash disk.qcow2 p2:/etc',
      'sectorscope hash disk.qcow2 p1 --algorithm md5',
    ],
    options: (command: Command) =>
      addDeletedOption(command).option('--algorithm <name>', 'md5, sha1, sha256, sha512, blake2b512, ...', 'sha256'),
    action: async (image, [locator], options, session) => {
      if (!crypto().getHashes().includes(options.algorithm)) {
        throw unsupported({
          layer: 'hash',
          expected: 'md5, sha1, sha256, sha512, sha3-256, blake2b512 or another that OpenSSL has',
          found: options.algorithm,
        });
      }
      const hashes = hashTarget(
        await targetOf(image, locator, session, { deleted: options.deleted }),
        options.algorithm,
        session,
      );
      if (options.json === true) await session.output.jsonArray(hashes);
      else for await (const { hash, locator: name } of hashes) await session.output.print(`${hash}  ${name}`);
    },
  });
}

/** One line for a device or file; for a directory one for every regular file below it. */
async function* hashTarget(target: Target, algorithm: string, session: Session): AsyncGenerator<Hashed, void> {
  if (target.kind !== 'node' || target.node.kind !== 'directory') {
    const { device, name } = deviceOf(target);
    yield await hashDevice(device, name, algorithm, session);
    return;
  }
  const { filesystem, volume } = target;
  const base = target.path === '/' ? '' : target.path;
  const leaveOut = (error: unknown, path: string): void => {
    session.signal.throwIfAborted();
    session.leaveOut(`${escapeText(path)}: ${errorLine(error)}`);
  };
  const { deleted } = target;
  const walking = { signal: session.signal, deleted, fromDeleted: deleted, onError: leaveOut };
  for await (const { path, entry } of walk(filesystem, target.node.id, walking)) {
    if (entry.kind !== 'file') continue;
    try {
      const node = await filesystem.node(entry.nodeId, { signal: session.signal, deleted });
      if (node.kind === 'file' && (node.deleted || !deleted))
        yield await hashDevice(
          fileDevice(filesystem, node),
          formatLocator(volume.name, base + path),
          algorithm,
          session,
        );
    } catch (error) {
      leaveOut(error, base + path);
    }
  }
}

async function hashDevice(device: BlockDevice, locator: string, algorithm: string, session: Session): Promise<Hashed> {
  const progress = session.progress(`Hashing ${locator}`);
  const hash = crypto().createHash(algorithm);
  let done = 0;
  for await (const chunk of allBytes(device, session)) {
    hash.update(chunk);
    done += chunk.length;
    progress.update({ done, total: device.size });
  }
  progress.end();
  return { locator, size: device.size, algorithm, hash: hash.digest('hex') };
}
