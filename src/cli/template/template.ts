/** Runs Go templates, the language of `--format` (text/template with Docker's functions). */
import { functions as defaults, lazyFunctions, variadicFunctions, type Functions } from "./functions.ts";
import { TemplateError } from "./lexer.ts";
import { parseTemplate, type Command, type Operand, type Pipe, type Statement } from "./parser.ts";
import { Row, entriesOf, goType, isStruct, print, truth, typeName, type Value } from "./value.ts";

/** A parsed template; unnamed, as all of Docker's are. */
export class Template {
  readonly source: string;
  readonly #body: readonly Statement[];

  /** Throws TemplateError: `template: :1: function "x" not defined`. */
  constructor(source: string) {
    this.source = source;
    this.#body = parseTemplate(source, new Set([...Object.keys(defaults), ...lazyFunctions]));
  }

  /** The text for `data`. Throws TemplateError: `template: :1:2: executing "" at <.X>: …`. */
  execute(data: Value, functions: Functions = defaults): string {
    return new Run(this.source, data, functions).text(this.#body);
  }
}

type Outcome = "break" | "continue" | undefined;

class Run {
  readonly #source: string;
  readonly #functions: Functions;
  #variables: { name: string; value: Value }[];
  #out = "";

  constructor(source: string, data: Value, functions: Functions) {
    this.#source = source;
    this.#functions = functions;
    this.#variables = [{ name: "$", value: data }];
  }

  text(body: readonly Statement[]): string {
    this.#walk(body, this.#variables[0]?.value);
    return this.#out;
  }

  #walk(body: readonly Statement[], dot: Value): Outcome {
    for (const statement of body) {
      const outcome = this.#step(statement, dot);
      if (outcome) return outcome;
    }
    return undefined;
  }

  #step(statement: Statement, dot: Value): Outcome {
    switch (statement.kind) {
      case "text":
        this.#out += statement.text;
        return undefined;
      case "action": {
        const value = this.#pipe(statement.pipe, dot);
        if (statement.pipe.variables.length === 0) this.#out += value === undefined ? "<no value>" : print(value);
        return undefined;
      }
      case "break":
      case "continue":
        return statement.kind;
      default: {
        const scope = this.#variables.length;
        const outcome = this.#control(statement, dot);
        this.#variables.length = scope;
        return outcome;
      }
    }
  }

  #control(statement: Extract<Statement, { body: unknown }>, dot: Value): Outcome {
    if (statement.kind === "range") return this.#range(statement, dot);
    const value = this.#pipe(statement.pipe, dot);
    if (!truth(value)) return this.#walk(statement.otherwise, dot);
    return this.#walk(statement.body, statement.kind === "with" ? value : dot);
  }

  #range(statement: Extract<Statement, { body: unknown }>, dot: Value): Outcome {
    const { pipe, body, otherwise } = statement;
    const value = this.#pipe({ ...pipe, variables: [] }, dot);
    const items = this.#items(value, pipe);
    if (items.length === 0) return this.#walk(otherwise, dot);
    const [first, second] = pipe.variables;
    for (const [key, item] of items) {
      const scope = this.#variables.length;
      if (second !== undefined) {
        this.#bind(first ?? "", key, pipe.declare);
        this.#bind(second, item, pipe.declare);
      } else if (first !== undefined) this.#bind(first, item, pipe.declare);
      const outcome = this.#walk(body, item);
      this.#variables.length = scope;
      if (outcome === "break") break;
    }
    return undefined;
  }

  #items(value: Value, pipe: Pipe): [Value, Value][] {
    if (value === null || value === undefined) return [];
    if (Array.isArray(value)) return value.map((item: Value, at) => [at, item]);
    if (typeof value === "number" && Number.isInteger(value))
      return Array.from({ length: Math.max(0, value) }, (_none, at) => [at, at]);
    const entries = entriesOf(value);
    if (!entries) throw this.#fail(pipe, `range can't iterate over ${print(value)}`);
    return entries;
  }

  #bind(name: string, value: Value, declare: boolean): void {
    const known = declare ? undefined : this.#variables.findLast((variable) => variable.name === name);
    if (known) known.value = value;
    else this.#variables.push({ name, value });
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    let final: readonly Value[] = [];
    for (const command of pipe.commands) final = [this.#command(command, dot, final)];
    const [value] = final;
    for (const name of pipe.variables) this.#bind(name, value, pipe.declare);
    return value;
  }

  /** `final` holds the value of the previous stage, which becomes the last argument. */
  #command(command: Command, dot: Value, final: readonly Value[]): Value {
    const [head, ...rest] = command.words;
    if (head.kind === "function") return this.#call(head.name, command, rest, dot, final);
    if (head.kind === "nil") throw this.#fail(head, "nil is not a command");
    const args = () => [...rest.map((word) => this.#operand(word, dot)), ...final];
    if (head.kind === "field") return this.#chain(head, dot, head.names, args());
    if (head.kind === "variable" && head.names.length > 0)
      return this.#chain(head, this.#variable(head.name), head.names, args());
    if (head.kind === "chain") return this.#chain(head, this.#operand(head.head, dot), head.names, args());
    if (rest.length > 0 || final.length > 0) throw this.#fail(head, `can't give argument to non-function ${head.text}`);
    return this.#operand(head, dot);
  }

  #call(name: string, command: Command, words: readonly Operand[], dot: Value, final: readonly Value[]): Value {
    if (lazyFunctions.has(name)) {
      let value: Value;
      for (const argument of [
        ...words.map((word) => () => this.#operand(word, dot)),
        ...final.map((item) => () => item),
      ]) {
        value = argument();
        if (truth(value) === (name === "or")) return value;
      }
      return value;
    }
    const args = [...words.map((word) => this.#operand(word, dot)), ...final];
    const called = this.#functions[name];
    const wanted = called?.length ?? 0;
    const open = variadicFunctions.has(name);
    if (args.length < wanted || (args.length > wanted && !open)) {
      throw this.#fail(
        command,
        `wrong number of args for ${name}: want ${open ? "at least " : ""}${wanted} got ${args.length}`,
      );
    }
    try {
      return called?.(...args);
    } catch (error) {
      throw this.#fail(command, `error calling ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #operand(word: Operand, dot: Value): Value {
    switch (word.kind) {
      case "dot":
        return dot;
      case "nil":
        return null;
      case "constant":
        return word.value;
      case "field":
        return this.#chain(word, dot, word.names, []);
      case "variable":
        return this.#chain(word, this.#variable(word.name), word.names, []);
      case "chain":
        return this.#chain(word, this.#operand(word.head, dot), word.names, []);
      case "function":
        return this.#call(word.name, { ...word, words: [word] }, [], dot, []);
      case "pipe":
        return this.#pipe(word.pipe, dot);
    }
  }

  #variable(name: string): Value {
    return this.#variables.findLast((variable) => variable.name === name)?.value;
  }

  /** Follows `names`; the arguments go to the last one. */
  #chain(node: { at: number; text: string }, from: Value, names: readonly string[], args: readonly Value[]): Value {
    return names.reduce((value, name, at) => this.#field(node, value, name, at === names.length - 1 ? args : []), from);
  }

  #field(node: { at: number; text: string }, value: Value, name: string, args: readonly Value[]): Value {
    if (value instanceof Row) {
      const method = Object.hasOwn(value.fields, name) ? value.fields[name] : undefined;
      if (!method) throw this.#fail(node, `can't evaluate field ${name} in type ${value.type}`);
      if (args.length !== method.length)
        throw this.#fail(node, `wrong number of args for ${name}: want ${method.length} got ${args.length}`);
      return method(...args.map(String));
    }
    if (args.length > 0) throw this.#fail(node, `${name} is not a method but has arguments`);
    if (value instanceof Map || isStruct(value)) {
      if (value instanceof Map) return value.get(name);
      if (!Object.hasOwn(value, name)) {
        const type = (value as { [goType]?: string })[goType];
        const why = type ? `can't evaluate field ${name} in type ${type}` : `map has no entry for key "${name}"`;
        throw this.#fail(node, why);
      }
      return value[name];
    }
    if (value === null || value === undefined) throw this.#fail(node, `nil data; no entry for key "${name}"`);
    throw this.#fail(
      node,
      `can't evaluate field ${name} in type ${Array.isArray(value) ? typeName(value) : "interface {}"}`,
    );
  }

  #fail(node: { at: number; text: string }, message: string): TemplateError {
    const before = this.#source.slice(0, node.at);
    const line = before.split("\n").length;
    const column = Buffer.byteLength(before.slice(before.lastIndexOf("\n") + 1));
    return new TemplateError(`template: :${line}:${column}: executing "" at <${node.text}>: ${message}`);
  }
}
