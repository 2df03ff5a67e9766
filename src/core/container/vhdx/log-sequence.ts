import type { LogEntry } from './log-reader.ts';

/**
 * The active sequence of a log (MS-VHDX 2.3.3): of all runs of valid entries, each directly behind the one before and with a
 * sequence number one higher, that end with an entry whose tail is one of the run, the one with the highest number; from the
 * tail on. Undefined when there is none. `entries` are the valid ones, `logLength` bytes.
 */
export function activeSequence(entries: readonly LogEntry[], logLength: number): LogEntry[] | undefined {
  const byPlace = new Map(entries.map((entry) => [entry.at, entry]));
  const heads = entries
    .filter((entry) => successor(entry, byPlace, logLength) === undefined)
    .sort((left, right) => Number(right.header.sequenceNumber - left.header.sequenceNumber));
  const ends = new Map<LogEntry, LogEntry>();
  for (const head of heads) {
    const tail = byPlace.get(head.header.tail);
    if (tail !== undefined && endOfRun(tail, ends, byPlace, logLength) === head)
      return runFrom(tail, byPlace, logLength);
  }
  return undefined;
}

/** The last entry of the run that `start` is in; remembered in `ends`, so that all calls together take one step an entry. */
function endOfRun(
  start: LogEntry,
  ends: Map<LogEntry, LogEntry>,
  byPlace: ReadonlyMap<number, LogEntry>,
  logLength: number,
): LogEntry {
  const passed: LogEntry[] = [];
  let end = start;
  for (let at: LogEntry | undefined = start; at !== undefined; at = successor(at, byPlace, logLength)) {
    end = ends.get(at) ?? at;
    if (end !== at) break;
    passed.push(at);
  }
  for (const entry of passed) ends.set(entry, end);
  return end;
}

function runFrom(start: LogEntry, byPlace: ReadonlyMap<number, LogEntry>, logLength: number): LogEntry[] {
  const run: LogEntry[] = [];
  for (let at: LogEntry | undefined = start; at !== undefined; at = successor(at, byPlace, logLength)) run.push(at);
  return run;
}

/** Sequence numbers rise along a run: it ends, and never comes back to where it began. */
function successor(
  { at, header }: LogEntry,
  byPlace: ReadonlyMap<number, LogEntry>,
  logLength: number,
): LogEntry | undefined {
  const next = byPlace.get((at + header.entryLength) % logLength);
  return next?.header.sequenceNumber === header.sequenceNumber + 1n ? next : undefined;
}
