import { escapeText, FileDevice, fileDevice, type LeafExtent, leafExtents, type Target } from '../../core/index.ts';
import { addImageCommand, type Host, targetOf } from '../image-command.ts';
import { longTable } from '../output.ts';
import { deviceOf } from '../target-bytes.ts';

/** A row of the map; `offset` and `storedLength` are in the host file, absent for zeros. */
interface MapRow {
  readonly start: number;
  readonly length: number;
  readonly kind: string;
  /** How many backing files down: 0 is the image itself. */
  readonly depth: number;
  readonly file?: string | undefined;
  readonly offset?: number;
  readonly storedLength?: number;
}

export function registerMap(host: Host): void {
  addImageCommand(host, {
    usage: 'map <image> [locator]',
    description: 'where the bytes of the disk, a partition or a file lie in the host files',
    examples: ['sectorscope map disk.qcow2', 'sectorscope map --json disk.qcow2 p2:/etc/passwd'],
    action: async (image, [locator], options, { output, signal, ...rest }) => {
      const device = mappedDevice(await targetOf(image, locator, { output, signal, ...rest }));
      const extents = leafExtents(device, { start: 0, length: device.size }, { signal });
      if (options.json === true) {
        await output.jsonArray(mapRows(extents));
        return;
      }
      const lines = longTable(textRows(extents), ['right', 'right', 'left', 'right', 'right']);
      for await (const piece of lines) await output.printAll(piece);
    },
  });
}

/** A directory has blocks to map as well. */
function mappedDevice(target: Target): ReturnType<typeof deviceOf>['device'] {
  if (target.kind === 'node' && target.node.kind === 'directory') return fileDevice(target.filesystem, target.node);
  return deviceOf(target).device;
}

async function* mapRows(extents: AsyncIterable<LeafExtent>): AsyncGenerator<MapRow, void> {
  for await (const extent of extents) {
    const { start, length, depth } = extent;
    if (extent.kind === 'zero') yield { start, length, kind: extent.explicit ? 'zero' : 'hole', depth };
    else {
      const file = extent.source instanceof FileDevice ? extent.source.path : undefined;
      if (extent.kind === 'data')
        yield { start, length, kind: 'data', depth, file, offset: extent.sourceOffset, storedLength: length };
      else
        yield {
          start,
          length,
          kind: extent.encoding,
          depth,
          file,
          offset: extent.sourceOffset,
          storedLength: extent.sourceLength,
        };
    }
  }
}

async function* textRows(extents: AsyncIterable<LeafExtent>): AsyncGenerator<readonly string[], void> {
  yield ['start', 'length', 'kind', 'depth', 'offset', 'file'];
  for await (const row of mapRows(extents)) yield cells(row);
}

function cells(row: MapRow): string[] {
  const stored = row.offset === undefined ? '' : hex(row.offset);
  const size = row.storedLength === undefined || row.storedLength === row.length ? '' : ` (${row.storedLength} bytes)`;
  return [
    hex(row.start),
    hex(row.length),
    `${row.kind}${size}`,
    String(row.depth),
    stored,
    row.file === undefined ? '' : escapeText(row.file),
  ];
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
