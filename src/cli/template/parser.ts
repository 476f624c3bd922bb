/** Builds the tree of a Go template from its tokens (text/template/parse, parse.go's grammar). */
import { syntaxError, tokenize, type TemplateError, type Token } from "./lexer.ts";

/** `at` is where Go's messages point; `text` is how they quote the node. */
interface Node {
  readonly at: number;
  readonly text: string;
}
export type Operand = Node &
  (
    | { readonly kind: "dot" | "nil" }
    | { readonly kind: "constant"; readonly value: string | number | boolean }
    | { readonly kind: "field"; readonly names: readonly string[] }
    | { readonly kind: "variable"; readonly name: string; readonly names: readonly string[] }
    | { readonly kind: "chain"; readonly head: Operand; readonly names: readonly string[] }
    | { readonly kind: "function"; readonly name: string }
    | { readonly kind: "pipe"; readonly pipe: Pipe }
  );
export type Command = Node & { readonly words: readonly [Operand, ...Operand[]] };
export interface Pipe extends Node {
  /** Variables that take its value; `declare` tells `:=` from `=`. */
  readonly variables: readonly string[];
  readonly declare: boolean;
  readonly commands: readonly Command[];
}
export type Statement =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | { readonly kind: "break" | "continue" }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    };

/** `functions` are the names that a template may call. Throws TemplateError. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): readonly Statement[] {
  return new Parser(source, functions).all();
}

class Parser {
  readonly #source: string;
  readonly #functions: ReadonlySet<string>;
  readonly #tokens: Token[];
  #next = 0;
  #variables = ["$"];
  #loops = 0;

  constructor(source: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#functions = functions;
    this.#tokens = tokenize(source);
  }

  all(): Statement[] {
    const { body, end } = this.#list();
    if (end) throw this.#fail(`unexpected {{${end}}}`);
    return body;
  }

  /** Statements up to `{{end}}` or `{{else` (whose word it returns, the rest of the action unread) or the end. */
  #list(): { body: Statement[]; end?: "end" | "else" } {
    const body: Statement[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === "eof") return { body };
      if (token.kind === "text") {
        body.push({ kind: "text", text: token.text });
        continue;
      }
      const head = this.#peekSolid();
      if (head.kind !== "keyword") {
        body.push({ kind: "action", pipe: this.#pipe("command", "close") });
        continue;
      }
      this.#takeSolid();
      if (head.text === "end" || head.text === "else") return { body, end: head.text };
      body.push(this.#keyword(head));
    }
  }

  #keyword(head: Token): Statement {
    switch (head.text) {
      case "if":
      case "with":
      case "range":
        return this.#control(head.text);
      case "break":
      case "continue":
        if (this.#loops === 0) throw this.#fail(`{{${head.text}}} outside {{range}}`);
        this.#close(head.text);
        return { kind: head.text };
      default:
        throw this.#fail(`{{${head.text}}} is not supported`);
    }
  }

  #control(kind: "if" | "with" | "range"): Statement {
    const scope = this.#variables.length;
    const pipe = this.#pipe(kind, "close");
    if (kind === "range") this.#loops++;
    const { body, end } = this.#list();
    if (kind === "range") this.#loops--;
    if (!end) throw this.#fail("unexpected EOF");
    let otherwise: Statement[] = [];
    if (end === "else") {
      const chained = this.#peekSolid();
      if (chained.kind === "keyword" && chained.text === kind && kind !== "range") {
        this.#takeSolid();
        otherwise = [this.#control(kind)];
      } else {
        this.#close("else");
        const rest = this.#list();
        if (!rest.end) throw this.#fail("unexpected EOF");
        if (rest.end === "else") throw this.#fail("expected end; found {{else}}");
        otherwise = rest.body;
        this.#close("end");
      }
    } else this.#close("end");
    this.#variables.length = scope;
    return { kind, pipe, body, otherwise };
  }

  #close(context: string): void {
    const token = this.#takeSolid();
    if (token.kind !== "close") throw this.#unexpected(token, context);
  }

  #pipe(context: string, until: "close" | ")"): Pipe {
    const first = this.#peekSolid();
    const { variables, declare } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#peekSolid();
      if (token.kind === until) {
        this.#takeSolid();
        if (commands.length === 0) throw this.#fail(`missing value for ${context}`);
        this.#checkStages(commands);
        if (declare) this.#variables.push(...variables);
        return { at: first.at, text: this.#source.slice(first.at, token.at).trim(), variables, declare, commands };
      }
      commands.push(this.#command(context));
    }
  }

  /** A later stage takes a value, so a constant or a dot cannot stand there. */
  #checkStages(commands: readonly Command[]): void {
    commands.slice(1).forEach(({ words: [word] }, at) => {
      if (word.kind === "constant" || word.kind === "dot" || word.kind === "nil") {
        throw this.#fail(`non executable command in pipeline stage ${at + 2}`);
      }
    });
  }

  #declarations(context: string): { variables: string[]; declare: boolean } {
    const start = this.#next;
    const variables: string[] = [];
    for (;;) {
      const token = this.#takeSolid();
      if (token.kind !== "variable") break;
      const mark = this.#takeSolid();
      variables.push(token.text);
      if (mark.kind === ":=" || mark.kind === "=") return { variables, declare: mark.kind === ":=" };
      if (mark.kind !== "," || context !== "range" || variables.length === 2) {
        if (mark.kind === ",") throw this.#fail(`too many declarations in ${context}`);
        break;
      }
    }
    this.#next = start;
    return { variables: [], declare: false };
  }

  #command(context: string): Command {
    const words: Operand[] = [];
    const at = this.#peekSolid().at;
    let end = at;
    for (;;) {
      this.#peekSolid();
      const token = this.#peek();
      if (token.kind === "close" || token.kind === ")") break;
      if (token.kind === "pipe") {
        this.#take();
        const after = this.#peekSolid();
        if (words.length > 0 && (after.kind === "close" || after.kind === ")"))
          throw this.#fail("missing value for command");
        break;
      }
      const word = this.#operand(context);
      words.push(word);
      end = this.#tokens[this.#next - 1]?.at ?? end;
      end += this.#tokens[this.#next - 1]?.text.length ?? 0;
      const after = this.#peek();
      if (after.kind !== "space" && after.kind !== "pipe" && after.kind !== "close" && after.kind !== ")") {
        throw this.#unexpected(after, "operand");
      }
    }
    const [first, ...rest] = words;
    if (!first) throw this.#fail("empty command");
    return { at, text: this.#source.slice(at, end), words: [first, ...rest] };
  }

  #operand(context: string): Operand {
    const head = this.#term(context);
    if (this.#peek().kind !== "field") return head;
    const at = this.#peek().at;
    const names: string[] = [];
    while (this.#peek().kind === "field") names.push(this.#take().text.slice(1));
    const text = `${head.text}.${names.join(".")}`;
    if (head.kind === "field") return { kind: "field", names: [...head.names, ...names], at, text };
    if (head.kind === "variable")
      return { kind: "variable", name: head.name, names: [...head.names, ...names], at, text };
    if (head.kind === "constant" || head.kind === "nil")
      throw this.#fail(`unexpected . after term ${JSON.stringify(head.text)}`);
    return { kind: "chain", head, names, at, text };
  }

  #term(context: string): Operand {
    const token = this.#take();
    const { at, text } = token;
    switch (token.kind) {
      case "dot":
        return { kind: "dot", at, text };
      case "nil":
        return { kind: "nil", at, text };
      case "bool":
        return { kind: "constant", value: text === "true", at, text };
      case "number":
        return { kind: "constant", value: Number(text.replaceAll("_", "")), at, text };
      case "char":
        return { kind: "constant", value: unquote(text).codePointAt(0) ?? 0, at, text };
      case "string":
        return { kind: "constant", value: text.startsWith("`") ? text.slice(1, -1) : unquote(text), at, text };
      case "field":
        return { kind: "field", names: [text.slice(1)], at, text };
      case "variable":
        if (!this.#variables.includes(text)) throw this.#fail(`undefined variable "${text}"`);
        return { kind: "variable", name: text, names: [], at, text };
      case "identifier":
        if (!this.#functions.has(text)) throw this.#fail(`function "${text}" not defined`);
        return { kind: "function", name: text, at, text };
      case "(": {
        const pipe = this.#pipe("parenthesized pipeline", ")");
        return { kind: "pipe", pipe, at, text: `(${pipe.text})` };
      }
      default:
        throw this.#unexpected(token, context);
    }
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: "eof", text: "EOF", at: this.#source.length };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #peekSolid(): Token {
    while (this.#peek().kind === "space") this.#next++;
    return this.#peek();
  }

  #takeSolid(): Token {
    this.#peekSolid();
    return this.#take();
  }

  #unexpected(token: Token, context: string): TemplateError {
    if (token.kind === "eof") return this.#fail("unexpected EOF");
    const shown =
      token.kind === "keyword"
        ? `<${token.text}>`
        : token.text.length > 10
          ? `"${token.text.slice(0, 10)}"...`
          : `"${token.text}"`;
    return this.#fail(`unexpected ${shown} in ${context}`);
  }

  #fail(message: string): TemplateError {
    return syntaxError(this.#source, this.#tokens[Math.min(this.#next, this.#tokens.length) - 1]?.at ?? 0, message);
  }
}

const escapes: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** The content of a Go string or character constant. */
function unquote(text: string): string {
  return text
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/g,
      (_all, x, u, U, octal, char) => {
        if (char !== undefined) return escapes[char] ?? char;
        return String.fromCodePoint(octal !== undefined ? parseInt(octal, 8) : parseInt(x ?? u ?? U, 16));
      },
    );
}
