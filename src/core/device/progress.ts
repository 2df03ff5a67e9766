/** How far long work is, in bytes, holes included; a total of 0 is one that nobody knows before the end. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

export type OnProgress = (progress: Progress) => void;
