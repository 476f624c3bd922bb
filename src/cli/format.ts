/** Prints lists of objects as `--format` asks: a table, JSON lines, or any Go template. */
import { ExitError } from "./errors.ts";
import { string } from "./kinds.ts";
import { align } from "./table.ts";
import { TemplateError } from "./template/lexer.ts";
import { headerFunctions } from "./template/functions.ts";
import { Template } from "./template/template.ts";
import { Row } from "./template/value.ts";

const jsonForm = `'json':             Print in JSON format`;
const templateForm = `'TEMPLATE':         Print output using the given Go template.`;

/** `--format` of lists. */
export const listFormat = string(
  `Format output using a custom template:\n` +
    `'table':            Print output in table format with column headers (default)\n` +
    `'table TEMPLATE':   Print output in table format using the given Go template\n` +
    `${jsonForm}\n${templateForm}`,
);

/** `--format` of what is one object. */
export const objectFormat = (short?: string) =>
  string(`Format output using a custom template:\n${jsonForm}\n${templateForm}`, short === undefined ? {} : { short });

const defaultComplaint = "template parsing error";

/** Names of columns as a table shows them, by the placeholder that prints each. */
export type Headers = Readonly<Record<string, string>>;

/**
 * Which format a list is printed in: the one `asked` for, else, unless `quiet`, the `preferred` one. `short` takes the
 * place of the default table when quiet.
 */
export function chooseFormat(asked: string, preferred: string | undefined, quiet: boolean, short: string): string {
  const format = asked || (quiet ? "" : (preferred ?? ""));
  return quiet && (format === "" || format === "table") ? short : format;
}

export interface FormatterOptions {
  /** The template that the word `raw` stands for. */
  readonly raw?: string;
  /** How the error for a bad template begins. */
  readonly complaint?: string;
}

/** One `--format`, ready to print rows. */
export class Formatter {
  readonly #template: Template;
  readonly #table: boolean;
  readonly #headers: Headers;

  /** `table` is the template for the default table. Throws ExitError for a template with mistakes. */
  constructor(format: string, table: string, headers: Headers, { raw, complaint }: FormatterOptions = {}) {
    const form = format === "raw" && raw !== undefined ? raw : format;
    const source = form === "" || form === "table" ? `table ${table}` : form;
    this.#table = source.startsWith("table");
    this.#headers = headers;
    this.#template = parseFormat(
      source === "json" ? "{{json .}}" : this.#table ? source.slice("table".length) : source,
      1,
      complaint,
    );
  }

  /** Whether the template names this placeholder: some cost the daemon work and are fetched only then. */
  uses(placeholder: string): boolean {
    return this.#template.source.includes(`.${placeholder}`) || /\{\{\s*json\s+\.\s*\}\}/.test(this.#template.source);
  }

  /** All rows as text, the header above them in a table. Throws ExitError. */
  format(rows: readonly Row[]): string {
    const body = rows.map((row) => `${execute(this.#template, row)}\n`).join("");
    if (!this.#table) return body;
    return align(`${this.#template.execute(headerRow(this.#headers), headerFunctions)}\n${body}`);
  }

  /** Throws ExitError for placeholders that `row` lacks, so that an empty list does not hide the mistake. */
  check(row: Row, complaint: string): void {
    execute(this.#template, row, complaint);
  }
}

/** Column names in place of values; that of `.Label "com.example.some-name"` is `some name`. */
function headerRow(headers: Headers): Row {
  const fields = Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, () => header]));
  return new Row("formatter.SubHeaderContext", {
    ...fields,
    Label: (name: string) => name.slice(name.lastIndexOf(".") + 1).replace(/[-_]/g, " "),
  });
}

/** Parses a `--format`; a shell's `\t` and `\n` count as those characters. Throws ExitError with `code`. */
export function parseFormat(source: string, code: number, complaint = defaultComplaint): Template {
  try {
    return new Template(
      source
        .replace(/^ +| +$/g, "")
        .replaceAll("\\t", "\t")
        .replaceAll("\\n", "\n"),
    );
  } catch (error) {
    if (error instanceof TemplateError) throw new ExitError(code, `${complaint}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The text of one object. Throws ExitError. */
export function execute(template: Template, data: unknown, complaint = defaultComplaint, code = 1): string {
  try {
    return template.execute(data);
  } catch (error) {
    if (error instanceof TemplateError) throw new ExitError(code, `${complaint}: ${error.message}`, { cause: error });
    throw error;
  }
}
