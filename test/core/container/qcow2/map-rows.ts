import { type Container, leafExtents } from '../../../../src/core/index.ts';

/** A row of a map as both qemu-img and we can say it. `offset` is in the file that holds the bytes, of plain data only. */
export interface MapRow {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly kind: 'data' | 'encoded' | 'explicit zero' | 'unallocated';
  readonly offset?: number | undefined;
}

/** An entry of `qemu-img map --output=json` (qemu-img 7.2). */
export interface QemuMapEntry {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
  readonly offset?: number;
}

/** qemu-img's map in rows; of the raw layer at `rawDepth` it tells the file's holes, which we do not. */
export function qemuRows(map: readonly QemuMapEntry[], rawDepth?: number): MapRow[] {
  return joined(
    map.map(({ start, length, depth, present, data, offset }) => {
      const isData = (data || depth === rawDepth) && offset !== undefined;
      if (isData) return { start, length, depth, kind: 'data', offset };
      const kind = data ? 'encoded' : present ? 'explicit zero' : 'unallocated';
      return { start, length, depth, kind };
    }),
  );
}

/** Our map of a whole container in rows. */
export async function ourRows(container: Container): Promise<MapRow[]> {
  const rows: MapRow[] = [];
  for await (const extent of leafExtents(container, { start: 0, length: container.size })) {
    const { start, length, depth } = extent;
    if (extent.kind === 'data') rows.push({ start, length, depth, kind: 'data', offset: extent.sourceOffset });
    else if (extent.kind === 'encoded') rows.push({ start, length, depth, kind: 'encoded' });
    else rows.push({ start, length, depth, kind: extent.explicit ? 'explicit zero' : 'unallocated' });
  }
  return joined(rows);
}

function joined(rows: readonly MapRow[]): MapRow[] {
  const result: MapRow[] = [];
  for (const row of rows) {
    const last = result.at(-1);
    const follows =
      last !== undefined &&
      last.kind === row.kind &&
      last.depth === row.depth &&
      (row.offset === undefined || last.offset! + last.length === row.offset);
    if (follows) result[result.length - 1] = { ...last, length: last.length + row.length };
    else result.push(row);
  }
  return result;
}
