/** Aligns tab-separated cells in columns the way Go's text/tabwriter does with Docker's settings. */

export interface Layout {
  /** Least width of a column, spaces included. */
  readonly minWidth: number;
  /** Spaces after the widest cell. */
  readonly padding: number;
}

/** The settings of Docker's lists. */
const listLayout: Layout = { minWidth: 10, padding: 3 };

/**
 * A cell ends with a tab; what follows a line's last tab is not aligned. A column is a run of adjacent lines that
 * all have a cell there, so that a line with fewer cells parts the table, as in tabwriter.
 */
export function align(text: string, { minWidth, padding }: Layout = listLayout): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths = lines.map((cells) => Array.from<number>({ length: cells.length - 1 }));
  const measure = (from: number, column: number): number => {
    let end = from;
    let widest = 0;
    while (end < lines.length && (lines[end]?.length ?? 0) - 1 > column) {
      widest = Math.max(widest, columns(lines[end]?.[column] ?? ""));
      end++;
    }
    // tabwriter drops a column in which no cell holds anything.
    const width = widest === 0 ? 0 : Math.max(minWidth, widest + padding);
    for (let line = from; line < end; line++) {
      const row = widths[line];
      if (row) row[column] = width;
    }
    return end;
  };
  const deepest = Math.max(0, ...lines.map((cells) => cells.length - 1));
  for (let column = 0; column < deepest; column++) {
    for (let line = 0; line < lines.length;) {
      line = (lines[line]?.length ?? 0) - 1 > column ? measure(line, column) : line + 1;
    }
  }
  return lines
    .map((cells, line) =>
      cells
        .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[line]?.[column] ?? 0) - columns(cell))))
        .join(""),
    )
    .join("\n");
}

/** tabwriter counts code points. */
function columns(text: string): number {
  return text.length < 64 && /^[\x20-\x7e]*$/.test(text) ? text.length : [...text].length;
}
