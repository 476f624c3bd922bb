/** Writes PAX archives with libarchive, as every image tool reads them. */
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { EngineError } from "#lib/errors.ts";

const ARCHIVE_WARN = -20;
const LC_CTYPE = 0;
const blockSize = 256 * 1024;

const symbols = {
  archive_write_new: { args: [], returns: "ptr" },
  archive_write_set_format_pax_restricted: { args: ["ptr"], returns: "int" },
  archive_write_add_filter_none: { args: ["ptr"], returns: "int" },
  archive_write_set_options: { args: ["ptr", "ptr"], returns: "int" },
  archive_write_set_bytes_per_block: { args: ["ptr", "int"], returns: "int" },
  archive_write_set_bytes_in_last_block: { args: ["ptr", "int"], returns: "int" },
  archive_write_open_fd: { args: ["ptr", "int"], returns: "int" },
  archive_write_header: { args: ["ptr", "ptr"], returns: "int" },
  archive_write_data: { args: ["ptr", "ptr", "u64"], returns: FFIType.i64_fast },
  archive_write_close: { args: ["ptr"], returns: "int" },
  archive_write_free: { args: ["ptr"], returns: "int" },
  archive_error_string: { args: ["ptr"], returns: "cstring" },
  archive_errno: { args: ["ptr"], returns: "int" },
  archive_entry_new: { args: [], returns: "ptr" },
  archive_entry_clear: { args: ["ptr"], returns: "ptr" },
  archive_entry_free: { args: ["ptr"], returns: "void" },
  archive_entry_copy_pathname: { args: ["ptr", "ptr"], returns: "void" },
  archive_entry_copy_symlink: { args: ["ptr", "ptr"], returns: "void" },
  archive_entry_copy_hardlink: { args: ["ptr", "ptr"], returns: "void" },
  archive_entry_set_mode: { args: ["ptr", "u32"], returns: "void" },
  archive_entry_set_uid: { args: ["ptr", "i64"], returns: "void" },
  archive_entry_set_gid: { args: ["ptr", "i64"], returns: "void" },
  archive_entry_set_size: { args: ["ptr", "i64"], returns: "void" },
  archive_entry_set_mtime: { args: ["ptr", "i64", "i64"], returns: "void" },
  archive_entry_set_rdevmajor: { args: ["ptr", "u64"], returns: "void" },
  archive_entry_set_rdevminor: { args: ["ptr", "u64"], returns: "void" },
  archive_entry_xattr_add_entry: { args: ["ptr", "ptr", "ptr", "u64"], returns: "void" },
  setlocale: { args: ["int", "ptr"], returns: "ptr" },
  iconv_open: { args: ["ptr", "ptr"], returns: "ptr" },
} as const;

/** Names are latin1 strings that stand for bytes. */
export interface OutgoingEntry {
  readonly path: string;
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content that will be written; 0 for everything but regular files. */
  readonly size: number;
  readonly seconds: number;
  readonly symlink?: string;
  readonly hardlink?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly attributes?: readonly { readonly name: string; readonly value: Uint8Array }[];
}

/**
 * Owners as numbers, times in whole seconds, extended attributes as SCHILY.xattr; PAX records only where they are needed.
 * Construct it before changing the root: the C library may still have to load its character sets.
 */
export class ArchiveWriter implements Disposable {
  readonly #lib = dlopen("libarchive.so.13", symbols).symbols;
  readonly #archive: Pointer;
  readonly #entry: Pointer;

  constructor() {
    const lib = this.#lib;
    // Names that are UTF-8 go out as such, others marked as binary. Opening a converter makes glibc read its tables now.
    lib.setlocale(LC_CTYPE, bytes("C.UTF-8"));
    lib.iconv_open(bytes("UTF-8"), bytes("UTF-8"));
    this.#archive = Number(lib.archive_write_new()) as Pointer;
    this.#entry = Number(lib.archive_entry_new()) as Pointer;
    this.#check(lib.archive_write_set_format_pax_restricted(this.#archive));
    this.#check(lib.archive_write_add_filter_none(this.#archive));
    this.#check(lib.archive_write_set_options(this.#archive, bytes("xattrheader=SCHILY")));
    this.#check(lib.archive_write_set_bytes_per_block(this.#archive, blockSize));
    this.#check(lib.archive_write_set_bytes_in_last_block(this.#archive, 1));
  }

  /** Starts writing to a descriptor, which stays the caller's. */
  open(fd: number): void {
    this.#check(this.#lib.archive_write_open_fd(this.#archive, fd));
  }

  header(entry: OutgoingEntry): void {
    const lib = this.#lib;
    const e = this.#entry;
    lib.archive_entry_clear(e);
    lib.archive_entry_copy_pathname(e, bytes(entry.path));
    lib.archive_entry_set_mode(e, entry.mode);
    lib.archive_entry_set_uid(e, entry.uid);
    lib.archive_entry_set_gid(e, entry.gid);
    lib.archive_entry_set_size(e, entry.size);
    lib.archive_entry_set_mtime(e, entry.seconds, 0);
    if (entry.symlink !== undefined) lib.archive_entry_copy_symlink(e, bytes(entry.symlink));
    if (entry.hardlink !== undefined) lib.archive_entry_copy_hardlink(e, bytes(entry.hardlink));
    if (entry.major !== undefined) lib.archive_entry_set_rdevmajor(e, entry.major);
    if (entry.minor !== undefined) lib.archive_entry_set_rdevminor(e, entry.minor);
    for (const { name, value } of entry.attributes ?? []) {
      lib.archive_entry_xattr_add_entry(e, bytes(name), value.length === 0 ? null : ptr(value), value.length);
    }
    this.#check(lib.archive_write_header(this.#archive, e));
  }

  /** A piece of the entry's content. What exceeds the announced size is dropped, what is short of it becomes zeros. */
  data(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const wrote = Number(this.#lib.archive_write_data(this.#archive, ptr(chunk), chunk.length));
    if (wrote < 0) this.#check(wrote);
  }

  /** Writes the end of the archive. */
  close(): void {
    this.#check(this.#lib.archive_write_close(this.#archive));
  }

  [Symbol.dispose](): void {
    this.#lib.archive_entry_free(this.#entry);
    this.#lib.archive_write_free(this.#archive);
  }

  #check(result: number): void {
    if (result >= ARCHIVE_WARN) return;
    throw new EngineError("internal", `cannot write archive: ${this.#lib.archive_error_string(this.#archive)}`);
  }
}

function bytes(text: string): Pointer {
  // bun:ffi keeps no reference: the call that takes the address must follow at once.
  return ptr(Buffer.from(`${text}\0`, "latin1"));
}
