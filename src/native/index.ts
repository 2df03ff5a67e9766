/** Direct I/O and device queries over koffi come here; nothing in this version needs them. */
export {};
