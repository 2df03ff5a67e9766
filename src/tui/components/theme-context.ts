import { type Context, createContext } from 'react';
import { createTheme, type Theme } from '../theme.ts';

export const ThemeContext: Context<Theme> = createContext(createTheme({}));
