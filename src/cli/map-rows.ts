import path from 'node:path';
import { escapeText, FileDevice, type Image, type Layer, type LeafExtent } from '../core/index.ts';
import { longTable, type Output } from './output.ts';

/** A row of the map; `offset` and `storedLength` are in the host file, absent for zeros. */
export interface MapRow {
  readonly start: number;
  readonly length: number;
  readonly kind: string;
  /** How many backing files down: 0 is the image itself. */
  readonly depth: number;
  /** The name of the layer that has the extent, as `info` lists it. */
  readonly layer: string;
  readonly file?: string | undefined;
  readonly offset?: number;
  readonly storedLength?: number;
}

/** The rows of extents; `layers` are those of the image that they are of. */
export async function* mapRows(
  extents: AsyncIterable<LeafExtent>,
  layers: readonly Layer[],
): AsyncGenerator<MapRow, void> {
  for await (const extent of extents) {
    const { start, length, depth } = extent;
    const layer = layers[depth]?.name ?? '';
    if (extent.kind === 'zero') {
      yield { start, length, kind: extent.explicit ? 'zero' : 'hole', depth, layer };
      continue;
    }
    const file = extent.source instanceof FileDevice ? extent.source.path : undefined;
    const isPlain = extent.kind === 'data';
    const kind = isPlain ? 'data' : extent.encoding;
    const storedLength = isPlain ? length : extent.sourceLength;
    yield { start, length, kind, depth, layer, file, offset: extent.sourceOffset, storedLength };
  }
}

/** As a table, its columns aligned. */
export async function printMap(rows: AsyncIterable<MapRow>, image: Image, output: Output): Promise<void> {
  const align = ['right', 'right', 'left', 'right', 'right', 'right'] as const;
  for await (const piece of longTable(textRows(rows, image), align)) await output.printAll(piece);
}

/** Names of files as seen from the image's own folder, so that a row fits in 80 columns. */
async function* textRows(rows: AsyncIterable<MapRow>, image: Image): AsyncGenerator<readonly string[], void> {
  yield ['start', 'length', 'kind', 'stored', 'layer', 'offset', 'file'];
  const folder = path.dirname(path.resolve(image.path));
  const names = new Map<string, string>();
  const nameOf = (file: string): string => {
    const name = names.get(file) ?? escapeText(path.relative(folder, path.resolve(file)));
    names.set(file, name);
    return name;
  };
  for await (const { start, length, kind, depth, file, offset, storedLength } of rows) {
    const stored = storedLength === undefined || storedLength === length ? '' : hex(storedLength);
    const place = offset === undefined ? '' : hex(offset);
    yield [hex(start), hex(length), kind, stored, String(depth), place, file === undefined ? '' : nameOf(file)];
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
