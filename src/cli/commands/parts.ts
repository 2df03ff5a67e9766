import { divideUp, escapeText, formatBytes, type LayoutRow, layoutRows } from '../../core/index.ts';
import { partitionJson, partitionTableJson } from '../describe.ts';
import { addImageCommand, type Host, imageOf } from '../image-command.ts';
import { table } from '../output.ts';

export function registerParts(host: Host): void {
  addImageCommand(host, {
    usage: 'parts <image> [locator]',
    description: 'the partition table with its gaps, in the order of the disk',
    examples: [
      'sectorscope parts disk.qcow2',
      'sectorscope parts disk.qcow2 snapshot=before',
      'sectorscope parts --json disk.img',
    ],
    action: async (opened, [locator], options, session) => {
      const { output } = session;
      const image = await imageOf(opened, locator, session);
      if (image.partitionError !== undefined) throw image.partitionError;
      const partitions = image.partitionTable;
      if (options.json === true) {
        const rows = partitions === undefined ? [] : layoutRows(partitions, image.disk.size).map(rowJson);
        await output.json({
          partitionTable: partitions === undefined ? null : partitionTableJson(partitions),
          layout: rows,
        });
      } else if (partitions === undefined) {
        await output.print('no partition table');
      } else {
        const head = ['', 'start', 'end', 'sectors', 'size', 'type', 'name', 'flags'];
        const rows = layoutRows(partitions, image.disk.size).map((row) => rowCells(row, partitions.sectorSize));
        await output.print(`${partitions.scheme.toUpperCase()}, sectors of ${partitions.sectorSize} bytes`);
        await output.printAll(table([head, ...rows], ['left', 'right', 'right', 'right', 'right']));
      }
    },
  });
}

function rowJson(row: LayoutRow): unknown {
  const { kind, start, length } = row;
  if (row.kind === 'partition') return { ...partitionJson(row.partition), kind };
  return row.kind === 'metadata' ? { kind, start, length, name: row.name } : { kind, start, length };
}

function rowCells(row: LayoutRow, sectorSize: number): string[] {
  // The file of a raw image may end inside a sector.
  const sectors = divideUp(row.length, sectorSize);
  const first = row.start / sectorSize;
  const place = [String(first), String(first + sectors - 1), String(sectors), formatBytes(row.length)];
  if (row.kind === 'gap') return ['', ...place, 'unallocated'];
  if (row.kind === 'metadata') return ['', ...place, row.name];
  const { number, kind, type, name, flags } = row.partition;
  const typeName = `${type.name === '' ? type.id : type.name}${kind === 'primary' || kind === 'gpt' ? '' : ` (${kind})`}`;
  return [`p${number}`, ...place, typeName, escapeText(name), flags.join(', ')];
}
