/** A range counted in sectors of the disk. */
export interface SectorRange {
  readonly startSector: number;
  readonly sectorCount: number;
}

/** The first sector after the range. */
export function endSector(range: SectorRange): number {
  return range.startSector + range.sectorCount;
}

export function isWithin(inner: SectorRange, outer: SectorRange): boolean {
  return inner.startSector >= outer.startSector && endSector(inner) <= endSector(outer);
}

/** The ranges that begin before another one, which began earlier, has ended. */
export function overlaps<Range extends SectorRange>(ranges: readonly Range[]): Range[] {
  let end = 0;
  const found: Range[] = [];
  const filled = ranges.filter(({ sectorCount }) => sectorCount > 0);
  for (const range of filled.sort((left, right) => left.startSector - right.startSector)) {
    if (range.startSector < end) found.push(range);
    end = Math.max(end, endSector(range));
  }
  return found;
}
