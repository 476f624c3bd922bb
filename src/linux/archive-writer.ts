/** Writes PAX archives with libarchive, as every image tool reads them. */
import { dlopen, FFIType, JSCallback, type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { EngineError } from "#lib/errors.ts";

const ARCHIVE_WARN = -20;
const ARCHIVE_FATAL = -30;
const LC_CTYPE = 0;
const blockSize = 256 * 1024;

const symbols = {
  archive_write_new: { args: [], returns: "ptr" },
  archive_write_set_format_pax_restricted: { args: ["ptr"], returns: "int" },
  archive_write_set_format_pax: { args: ["ptr"], returns: "int" },
  archive_write_add_filter_zstd: { args: ["ptr"], returns: "int" },
  archive_write_set_filter_option: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "int" },
  archive_write_open: { args: ["ptr", "ptr", "ptr", "ptr", "ptr"], returns: "int" },
  archive_write_add_filter_none: { args: ["ptr"], returns: "int" },
  archive_write_set_options: { args: ["ptr", "ptr"], returns: "int" },
  archive_write_set_bytes_per_block: { args: ["ptr", "int"], returns: "int" },
  archive_write_set_bytes_in_last_block: { args: ["ptr", "int"], returns: "int" },
  archive_write_open_fd: { args: ["ptr", "int"], returns: "int" },
  archive_write_header: { args: ["ptr", "ptr"], returns: "int" },
  archive_write_finish_entry: { args: ["ptr"], returns: "int" },
  archive_write_data: { args: ["ptr", "ptr", "u64"], returns: FFIType.i64_fast },
  archive_write_close: { args: ["ptr"], returns: "int" },
  archive_write_fail: { args: ["ptr"], returns: "int" },
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
  archive_entry_set_atime: { args: ["ptr", "i64", "i64"], returns: "void" },
  archive_entry_sparse_add_entry: { args: ["ptr", "i64", "i64"], returns: "void" },
  archive_entry_set_rdevmajor: { args: ["ptr", "u64"], returns: "void" },
  archive_entry_set_rdevminor: { args: ["ptr", "u64"], returns: "void" },
  archive_entry_xattr_add_entry: { args: ["ptr", "ptr", "ptr", "u64"], returns: "void" },
  setlocale: { args: ["int", "ptr"], returns: "ptr" },
  iconv_open: { args: ["ptr", "ptr"], returns: "ptr" },
} as const;

export interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Bytes of a file. */
export interface Region {
  readonly offset: number;
  readonly size: number;
}

interface ExactOptions {
  /** Of Zstandard. */
  readonly level: number;
  readonly threads: number;
}

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
  /** Kept by exact archives, as is the time of the last access. */
  readonly nanoseconds?: number;
  readonly accessed?: Moment;
  /** Where a sparse file has data, in order; all else is holes. Absent where it has none. */
  readonly regions?: readonly Region[];
  readonly symlink?: string;
  readonly hardlink?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly attributes?: readonly { readonly name: string; readonly value: Uint8Array }[];
}

/**
 * Owners as numbers, times in whole seconds, extended attributes as SCHILY.xattr; PAX records only where they are needed.
 * `exact` archives keep times to the nanosecond and holes (GNU.sparse 1.0) and are compressed with Zstandard.
 * Construct it before changing the root: the C library may still have to load its character sets.
 */
export class ArchiveWriter implements Disposable {
  readonly #lib = dlopen("libarchive.so.13", symbols).symbols;
  readonly #archive: Pointer;
  readonly #entry: Pointer;
  readonly #nothing = new Uint8Array(1);
  #callback: JSCallback | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(exact?: ExactOptions) {
    const lib = this.#lib;
    // Names that are UTF-8 go out as such, others marked as binary. Opening a converter makes glibc read its tables now.
    lib.setlocale(LC_CTYPE, bytes("C.UTF-8"));
    lib.iconv_open(bytes("UTF-8"), bytes("UTF-8"));
    this.#archive = Number(lib.archive_write_new()) as Pointer;
    this.#entry = Number(lib.archive_entry_new()) as Pointer;
    if (exact === undefined) {
      this.#setPlain(this.#archive);
    } else {
      this.#check(lib.archive_write_set_format_pax(this.#archive));
      this.#check(lib.archive_write_add_filter_zstd(this.#archive));
      this.#check(this.#filterOption("compression-level", exact.level));
      // One thread must do where the library was built without more.
      this.#filterOption("threads", exact.threads);
    }
    this.#check(lib.archive_write_set_options(this.#archive, bytes("xattrheader=SCHILY")));
    this.#check(lib.archive_write_set_bytes_per_block(this.#archive, blockSize));
    this.#check(lib.archive_write_set_bytes_in_last_block(this.#archive, 1));
  }

  /** Starts writing to a descriptor, which stays the caller's. */
  open(fd: number): void {
    this.#check(this.#lib.archive_write_open_fd(this.#archive, fd));
  }

  /**
   * Starts writing to `sink`, which keeps none of what it is given. What it throws is thrown on. It is given blocks, or
   * with `unblocked` each header and piece of content at once.
   */
  openSink(sink: (bytes: Uint8Array) => void, { unblocked = false } = {}): void {
    const take = (_archive: Pointer, _data: Pointer, address: Pointer, size: bigint): number => {
      try {
        sink(new Uint8Array(toArrayBuffer(address, 0, Number(size))));
        return Number(size);
      } catch (cause) {
        this.#failure = { cause };
        return ARCHIVE_FATAL;
      }
    };
    this.#callback = new JSCallback(take, { args: ["ptr", "ptr", "ptr", "u64"], returns: "i64" });
    if (unblocked) this.#check(this.#lib.archive_write_set_bytes_per_block(this.#archive, 0));
    this.#check(this.#lib.archive_write_open(this.#archive, null, null, this.#callback.ptr, null));
  }

  header(entry: OutgoingEntry): void {
    this.#describe(entry);
    this.#check(this.#lib.archive_write_header(this.#archive, this.#entry));
  }

  /**
   * Gives the header alone to an unblocked sink. Content and padding are the caller's, who sees that they come before
   * the next entry. Not for exact archives.
   */
  headerAlone(entry: OutgoingEntry): void {
    const lib = this.#lib;
    this.#check(lib.archive_write_finish_entry(this.#archive));
    // Each archive wants the whole of an entry, so this one gets an archive of its own that ends before its content.
    const archive = Number(lib.archive_write_new()) as Pointer;
    try {
      this.#setPlain(archive);
      this.#check(lib.archive_write_set_options(archive, bytes("xattrheader=SCHILY")));
      this.#check(lib.archive_write_set_bytes_per_block(archive, 0));
      this.#check(lib.archive_write_open(archive, null, null, this.#callback?.ptr ?? null, null));
      this.#describe(entry);
      this.#check(lib.archive_write_header(archive, this.#entry));
    } finally {
      lib.archive_write_fail(archive);
      lib.archive_write_free(archive);
    }
  }

  #setPlain(archive: Pointer): void {
    this.#check(this.#lib.archive_write_set_format_pax_restricted(archive));
    this.#check(this.#lib.archive_write_add_filter_none(archive));
  }

  #describe(entry: OutgoingEntry): void {
    const lib = this.#lib;
    const e = this.#entry;
    lib.archive_entry_clear(e);
    lib.archive_entry_copy_pathname(e, bytes(entry.path));
    lib.archive_entry_set_mode(e, entry.mode);
    lib.archive_entry_set_uid(e, entry.uid);
    lib.archive_entry_set_gid(e, entry.gid);
    lib.archive_entry_set_size(e, entry.size);
    lib.archive_entry_set_mtime(e, entry.seconds, entry.nanoseconds ?? 0);
    if (entry.accessed) lib.archive_entry_set_atime(e, entry.accessed.seconds, entry.accessed.nanoseconds);
    for (const { offset, size } of entry.regions ?? []) lib.archive_entry_sparse_add_entry(e, offset, size);
    if (entry.symlink !== undefined) lib.archive_entry_copy_symlink(e, bytes(entry.symlink));
    if (entry.hardlink !== undefined) lib.archive_entry_copy_hardlink(e, bytes(entry.hardlink));
    if (entry.major !== undefined) lib.archive_entry_set_rdevmajor(e, entry.major);
    if (entry.minor !== undefined) lib.archive_entry_set_rdevminor(e, entry.minor);
    for (const { name, value } of entry.attributes ?? []) {
      lib.archive_entry_xattr_add_entry(e, bytes(name), value.length === 0 ? null : ptr(value), value.length);
    }
  }

  /** A piece of the entry's content. What exceeds the announced size is dropped, what is short of it becomes zeros. */
  data(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const wrote = Number(this.#lib.archive_write_data(this.#archive, ptr(chunk), chunk.length));
    if (wrote < 0) this.#check(wrote);
  }

  /** A hole of the entry's content, all of which `data` and `skip` together must go through. */
  skip(size: number): void {
    const nothing = ptr(this.#nothing);
    for (let left = size; left > 0;) {
      // Holes are counted off; their memory is not looked at.
      const skipped = Number(this.#lib.archive_write_data(this.#archive, nothing, left));
      if (skipped <= 0) throw new EngineError("internal", "cannot write archive: a hole is not where it was announced");
      left -= skipped;
    }
  }

  /** Writes the end of the archive. */
  close(): void {
    this.#check(this.#lib.archive_write_close(this.#archive));
  }

  /** Nothing more is written, not even the end when it is disposed of. */
  abandon(): void {
    this.#lib.archive_write_fail(this.#archive);
  }

  [Symbol.dispose](): void {
    this.#lib.archive_entry_free(this.#entry);
    this.#lib.archive_write_free(this.#archive);
    this.#callback?.close();
  }

  #filterOption(name: string, value: number): number {
    const words = ["zstd", name, String(value)].map((word) => Buffer.from(`${word}\0`)) as [Buffer, Buffer, Buffer];
    const [filter, option, text] = words;
    return this.#lib.archive_write_set_filter_option(this.#archive, ptr(filter), ptr(option), ptr(text));
  }

  #check(result: number): void {
    if (result >= ARCHIVE_WARN) return;
    if (this.#failure !== undefined) throw this.#failure.cause;
    throw new EngineError("internal", `cannot write archive: ${this.#lib.archive_error_string(this.#archive)}`);
  }
}

function bytes(text: string): Pointer {
  // bun:ffi keeps no reference: the call that takes the address must follow at once.
  return ptr(Buffer.from(`${text}\0`, "latin1"));
}
