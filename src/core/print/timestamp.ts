import type { Timestamp } from '../filesystem/filesystem.ts';

/** Years that `Date` can hold are far inside these bounds; a timestamp outside is printed as its seconds. */
const MAX_DATE_SECONDS = 8.64e12;

/**
 * ISO 8601 with as many digits as the timestamp has: nanoseconds unless they are zero, `Z` for UTC and no zone for
 * local time of unknown zone (FAT).
 */
export function formatTimestamp(time: Timestamp): string {
  if (Math.abs(time.seconds) > MAX_DATE_SECONDS) return `${time.seconds} s`;
  const seconds = new Date(time.seconds * 1000).toISOString().slice(0, -'.000Z'.length);
  const fraction = time.nanoseconds === 0 ? '' : `.${String(time.nanoseconds).padStart(9, '0')}`;
  return `${seconds}${fraction}${time.zone === 'utc' ? 'Z' : ''}`;
}
