/** Close to the kernel's canonical decomposition with full case folding (fs/unicode), by what JavaScript has. */
export function foldCase(name: string): string {
  return name.normalize('NFD').toUpperCase().toLowerCase().normalize('NFD');
}
