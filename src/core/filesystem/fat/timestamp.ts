import { bitField } from '../../bytes/bits.ts';
import type { Timestamp } from '../filesystem.ts';

/** Years count from here. */
const FIRST_YEAR = 1980;
const NANOSECONDS_PER_UNIT = 10_000_000;
/** `createdFine` counts 10 ms within the two seconds of the time word. */
const MAX_FINE_UNITS = 199;

/**
 * A moment from FAT's date and time words and 10 ms units (FAT specification section 6.3): two-second steps, local time, no zone.
 * Undefined when it is no moment of the calendar; zero words mean that none was written.
 */
export function decodeTimestamp(date: number, time = 0, fine = 0): Timestamp | undefined {
  const year = FIRST_YEAR + bitField(date, 9, 7);
  const month = bitField(date, 5, 4);
  const day = bitField(date, 0, 5);
  const hour = bitField(time, 11, 5);
  const minute = bitField(time, 5, 6);
  const second = bitField(time, 0, 5) * 2;
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 58) return undefined;
  const milliseconds = Date.UTC(year, month - 1, day, hour, minute, second);
  if (new Date(milliseconds).getUTCDate() !== day) return undefined;
  const units = fine > MAX_FINE_UNITS ? 0 : fine;
  return {
    seconds: milliseconds / 1000 + (units >= 100 ? 1 : 0),
    nanoseconds: (units % 100) * NANOSECONDS_PER_UNIT,
    zone: 'local',
  };
}
