import test from 'ava';
import { createTheme } from '../../src/tui/theme.ts';

test('colors by meaning, and back to plain after each', (t) => {
  const theme = createTheme({});
  t.true(theme.hasColor);
  t.is(theme.paint('error', 'x'), '\x1b[1;31mx\x1b[0m');
  t.is(theme.paint('plain', 'x'), 'x');
  t.is(theme.paint('error', ''), '');
});

test('NO_COLOR takes the colors and leaves the attributes; an empty one is none', (t) => {
  const theme = createTheme({ NO_COLOR: '1' });
  t.false(theme.hasColor);
  t.is(theme.paint('error', 'x'), '\x1b[1mx\x1b[0m');
  t.is(theme.paint('bytePrintable', 'x'), 'x');
  t.true(createTheme({ NO_COLOR: '' }).hasColor);
});
