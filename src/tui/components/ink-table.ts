import { createRequire, Module } from 'node:module';
import * as ink from 'ink';
import type { ComponentType, PropsWithChildren, ReactNode } from 'react';

/**
 * ink-table is CommonJS and wants a CommonJS Ink; Ink is an ES module. Its `require('ink')` is answered from the cache
 * with the Ink that the rest of the program uses, so that there is one Ink and one React.
 */
export interface InkTableProps<Row extends Readonly<Record<string, string>>> {
  readonly data: readonly Row[];
  readonly columns?: readonly (keyof Row & string)[];
  readonly padding?: number;
  readonly header?: ComponentType<PropsWithChildren>;
  readonly cell?: ComponentType<PropsWithChildren<{ column: number }>>;
  readonly skeleton?: ComponentType<PropsWithChildren>;
}

const require = createRequire(import.meta.url);
const inkPath = createRequire(require.resolve('ink-table')).resolve('ink');
if (require.cache[inkPath] === undefined) {
  const module = new Module(inkPath);
  module.filename = inkPath;
  module.loaded = true;
  module.exports = ink;
  require.cache[inkPath] = module as NodeJS.Module;
}
const { default: component } = require('ink-table') as { default: unknown };

export const InkTable = component as <Row extends Readonly<Record<string, string>>>(
  props: InkTableProps<Row>,
) => ReactNode;
