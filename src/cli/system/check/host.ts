/** The files of the host that the checks read, below a root that tests choose. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";

export class HostFiles {
  readonly #root: string;
  readonly kernel: string;

  constructor(root = "/", kernel = release()) {
    this.#root = root;
    this.kernel = kernel;
  }

  path(path: string): string {
    return join(this.#root, path);
  }

  exists(path: string): boolean {
    return existsSync(this.path(path));
  }

  /** Without spaces at its ends; undefined where it cannot be read. */
  read(path: string): string | undefined {
    try {
      return readFileSync(this.path(path), "utf8").trim();
    } catch {
      return undefined;
    }
  }

  list(path: string): string[] {
    try {
      return readdirSync(this.path(path));
    } catch {
      return [];
    }
  }

  /** Whether the running kernel is `major.minor` or newer. */
  kernelIs(major: number, minor: number): boolean {
    const [ours = 0, detail = 0] = this.kernel.split(/[.-]/).map(Number);
    return ours > major || (ours === major && detail >= minor);
  }

  /**
   * Whether the kernel has a module, built in, loaded or to be loaded; undefined where nothing on the host tells.
   * `symbol` is one of its functions: what is built in without parameters shows only by that.
   */
  hasModule(name: string, symbol: string): boolean | undefined {
    if (this.exists(`/sys/module/${name}`)) return true;
    const folder = `/lib/modules/${this.kernel}`;
    const lists = ["modules.builtin", "modules.dep"].map((file) => this.read(`${folder}/${file}`));
    if (lists.every((text) => text === undefined)) return this.#hasSymbol(symbol) || undefined;
    const file = new RegExp(`/${name.replace(/[_-]/g, "[_-]")}\\.ko`);
    return lists.some((text) => text !== undefined && file.test(text));
  }

  #hasSymbol(symbol: string): boolean {
    return new RegExp(` ${symbol}(?:\\s|$)`).test(this.read("/proc/kallsyms") ?? "");
  }
}
