/** A label and what it says; both printable. */
export type Fact = readonly [label: string, value: string];

export interface Section {
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** A row of the partition table, printable. */
export type TableRow = Readonly<Record<'part' | 'start' | 'size' | 'sectors' | 'type' | 'name', string>>;

export interface Details {
  readonly sections: readonly Section[];
  /** The partition table, for the disk and the table itself. */
  readonly table?: readonly TableRow[] | undefined;
  /** For the status line: a file's size, and where it begins on the disk. */
  readonly summary?: readonly string[] | undefined;
}
