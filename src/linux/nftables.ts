/** Runs nftables commands inside the process through libnftables: one costs 0.7 ms, the `nft` program 6 ms. */
import { CString, dlopen, type Pointer } from "bun:ffi";
import { EngineError } from "#lib/errors.ts";
import { cString } from "./libc.ts";

/** One object of libnftables-json(5)'s "nftables" array: `{chain: …}`, `{rule: …}` and so on. */
export type NftObject = Readonly<Record<string, unknown>>;

/** A script that the kernel or the parser refused. None of its commands was carried out. */
export class NftablesError extends EngineError {
  /** The commands, as they were given. */
  readonly script: string;

  constructor(doing: string, explanation: string, script: string) {
    super("internal", `${doing}: nftables: ${explanation}`);
    this.name = "NftablesError";
    this.script = script;
  }
}

/** One libnftables context, of the network namespace of the thread that makes it. Calls block that thread. */
export class Nftables implements Disposable {
  readonly #library = load();
  readonly #context: Pointer;

  /** Throws kind "unavailable" where the library is not installed. */
  constructor() {
    const context = this.#library.nft_ctx_new(0);
    if (context === null) throw new EngineError("internal", "cannot start libnftables: nft_ctx_new returned NULL");
    this.#context = context;
    this.#library.nft_ctx_buffer_output(context);
    this.#library.nft_ctx_buffer_error(context);
  }

  /** Carries out all commands of `script` (nft(8) syntax) in one transaction, or throws an NftablesError and does nothing. */
  run(doing: string, script: string): void {
    this.#library.nft_ctx_output_set_flags(this.#context, 0);
    this.#run(doing, script);
  }

  /**
   * Answers a `list …` command; undefined where what it lists does not exist. Rules come with their handles,
   * sets and maps with their elements only where asked.
   */
  list(command: string, options: { elements?: boolean } = {}): NftObject[] | undefined {
    const terse = options.elements === true ? 0 : OUTPUT_TERSE;
    this.#library.nft_ctx_output_set_flags(this.#context, OUTPUT_JSON | OUTPUT_HANDLE | terse);
    let text: string;
    try {
      text = this.#run("cannot read the firewall", `list ${command}`);
    } catch (error) {
      if (error instanceof NftablesError && error.message.includes("No such file or directory")) return undefined;
      throw error;
    }
    return (JSON.parse(text) as { nftables: NftObject[] }).nftables;
  }

  close(): void {
    this.#library.nft_ctx_free(this.#context);
  }
  [Symbol.dispose](): void {
    this.close();
  }

  #run(doing: string, script: string): string {
    const failed = this.#library.nft_run_cmd_from_buffer(this.#context, cString(script)) !== 0;
    // Both buffers must be read after every run: that is what empties them.
    const output = textAt(this.#library.nft_ctx_get_output_buffer(this.#context));
    const errors = textAt(this.#library.nft_ctx_get_error_buffer(this.#context));
    if (failed) throw new NftablesError(doing, firstError(errors), script);
    return output;
  }
}

interface Library {
  nft_ctx_new(flags: number): Pointer | null;
  nft_ctx_free(context: Pointer): void;
  nft_ctx_buffer_output(context: Pointer): number;
  nft_ctx_buffer_error(context: Pointer): number;
  nft_ctx_output_set_flags(context: Pointer, flags: number): void;
  nft_run_cmd_from_buffer(context: Pointer, script: Uint8Array): number;
  nft_ctx_get_output_buffer(context: Pointer): Pointer | null;
  nft_ctx_get_error_buffer(context: Pointer): Pointer | null;
}

function load(): Library {
  try {
    const { symbols } = dlopen("libnftables.so.1", {
      nft_ctx_new: { args: ["u32"], returns: "ptr" },
      nft_ctx_free: { args: ["ptr"], returns: "void" },
      nft_ctx_buffer_output: { args: ["ptr"], returns: "i32" },
      nft_ctx_buffer_error: { args: ["ptr"], returns: "i32" },
      nft_ctx_output_set_flags: { args: ["ptr", "u32"], returns: "void" },
      nft_run_cmd_from_buffer: { args: ["ptr", "ptr"], returns: "i32" },
      nft_ctx_get_output_buffer: { args: ["ptr"], returns: "ptr" },
      nft_ctx_get_error_buffer: { args: ["ptr"], returns: "ptr" },
    });
    // The declared types allow a pointer to be a bigint, which it never is in user space.
    return symbols as unknown as Library;
  } catch (cause) {
    throw new EngineError("unavailable", "cannot load libnftables.so.1: install the package libnftables1", { cause });
  }
}

function textAt(pointer: Pointer | null): string {
  return pointer === null ? "" : new CString(pointer);
}

/** The first line says what was wrong; the others quote the script. */
function firstError(errors: string): string {
  const line = errors.split("\n").find((text) => text.trim() !== "") ?? "failed without a message";
  return line.replace(/^.*?Error: /, "");
}

const OUTPUT_HANDLE = 1 << 3;
const OUTPUT_JSON = 1 << 4;
const OUTPUT_TERSE = 1 << 11;
