/** Reads archives with libarchive: every tar dialect and compression that images come in, names as raw bytes. */
import { dlopen, FFIType, JSCallback, type Pointer, ptr } from "bun:ffi";
import { EngineError } from "#lib/errors.ts";

const ARCHIVE_OK = 0;
const ARCHIVE_EOF = 1;
const ARCHIVE_WARN = -20;
const ARCHIVE_FATAL = -30;
const LC_ALL = 6;
const blockSize = 256 * 1024;

const symbols = {
  archive_read_new: { args: [], returns: "ptr" },
  archive_read_support_filter_gzip: { args: ["ptr"], returns: "int" },
  archive_read_support_filter_bzip2: { args: ["ptr"], returns: "int" },
  archive_read_support_filter_xz: { args: ["ptr"], returns: "int" },
  archive_read_support_filter_zstd: { args: ["ptr"], returns: "int" },
  archive_read_support_format_tar: { args: ["ptr"], returns: "int" },
  archive_read_support_format_raw: { args: ["ptr"], returns: "int" },
  archive_read_support_format_empty: { args: ["ptr"], returns: "int" },
  archive_read_set_options: { args: ["ptr", "ptr"], returns: "int" },
  archive_read_open_fd: { args: ["ptr", "int", "u64"], returns: "int" },
  archive_read_open: { args: ["ptr", "ptr", "ptr", "ptr", "ptr"], returns: "int" },
  archive_read_next_header: { args: ["ptr", "ptr"], returns: "int" },
  archive_read_data_block: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "int" },
  archive_read_free: { args: ["ptr"], returns: "int" },
  archive_error_string: { args: ["ptr"], returns: "ptr" },
  archive_entry_pathname: { args: ["ptr"], returns: "ptr" },
  archive_entry_hardlink: { args: ["ptr"], returns: "ptr" },
  archive_entry_symlink: { args: ["ptr"], returns: "ptr" },
  archive_entry_filetype: { args: ["ptr"], returns: "u32" },
  archive_entry_perm: { args: ["ptr"], returns: "u32" },
  archive_entry_uid: { args: ["ptr"], returns: FFIType.i64_fast },
  archive_entry_gid: { args: ["ptr"], returns: FFIType.i64_fast },
  archive_entry_size: { args: ["ptr"], returns: FFIType.i64_fast },
  archive_entry_rdev: { args: ["ptr"], returns: "u64" },
  archive_entry_mtime: { args: ["ptr"], returns: FFIType.i64_fast },
  archive_entry_mtime_nsec: { args: ["ptr"], returns: FFIType.i64_fast },
  archive_entry_atime: { args: ["ptr"], returns: FFIType.i64_fast },
  archive_entry_atime_nsec: { args: ["ptr"], returns: FFIType.i64_fast },
  archive_entry_xattr_reset: { args: ["ptr"], returns: "int" },
  archive_entry_xattr_next: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "int" },
  iconv_open: { args: ["ptr", "ptr"], returns: "ptr" },
  setlocale: { args: ["int", "ptr"], returns: "ptr" },
  strlen: { args: ["ptr"], returns: FFIType.u64_fast },
  memcpy: { args: ["ptr", "ptr", "u64"], returns: "ptr" },
} as const;

/** A piece of memory that libarchive owns, valid until the next call that advances. */
export interface Block {
  readonly address: number;
  readonly size: number;
  /** Where it belongs in the file: holes of sparse files are left out. */
  readonly offset: number;
}

/**
 * "tar" yields entries of an uncompressed tar, "zstd" those of one in Zstandard; "decompressed" yields one entry, whose blocks are the whole stream
 * without its compression (gzip, bzip2, xz, zstd, or none).
 *
 * Rejections are of kind "invalid" in libarchive's words. The instance is at the same time the current entry: its
 * properties are valid until `next`. Construct it before changing the root. Names are latin1 strings that stand for bytes. Not for use by two at once.
 */
export class ArchiveReader implements Disposable {
  readonly #lib = dlopen("libarchive.so.13", symbols).symbols;
  readonly #archive: Pointer;
  readonly #out = new BigUint64Array(3);
  readonly #slot: readonly [Pointer, Pointer, Pointer];
  #scratch = Buffer.alloc(4096);
  #entry: Pointer | null = null;
  #callback: JSCallback | undefined;
  #failure: { readonly cause: unknown } | undefined;

  constructor(form: "tar" | "zstd" | "decompressed") {
    const out = ptr(this.#out);
    this.#slot = [out, (out + 8) as Pointer, (out + 16) as Pointer];
    const lib = this.#lib;
    // Without a character set libarchive passes names through; with UTF-8 it would compose accents (NFC), which changes them.
    lib.setlocale(LC_ALL, ptr(Buffer.from("C\0")));
    // It still tries. The converter must be looked for now: later, under a changed root, glibc would take what the
    // archive itself put in the place of its tables and load code from there.
    lib.iconv_open(ptr(Buffer.from("ANSI_X3.4-1968\0")), ptr(Buffer.from("UTF-8\0")));
    const archive = lib.archive_read_new();
    if (archive === null) throw new EngineError("internal", "cannot read an archive: out of memory");
    this.#archive = Number(archive) as Pointer;
    if (form !== "decompressed") {
      if (form === "zstd") this.#check(lib.archive_read_support_filter_zstd(this.#archive));
      this.#check(lib.archive_read_support_format_tar(this.#archive));
    } else {
      this.#check(lib.archive_read_support_filter_gzip(this.#archive));
      this.#check(lib.archive_read_support_filter_bzip2(this.#archive));
      this.#check(lib.archive_read_support_filter_xz(this.#archive));
      this.#check(lib.archive_read_support_filter_zstd(this.#archive));
      this.#check(lib.archive_read_support_format_raw(this.#archive));
    }
    this.#check(lib.archive_read_support_format_empty(this.#archive));
  }

  /** Goes on after an archive's end mark: tars written one after the other count as one. Before `open`. */
  readConcatenated(): void {
    this.#check(
      this.#lib.archive_read_set_options(this.#archive, ptr(Buffer.from("tar:read_concatenated_archives\0"))),
    );
  }

  /** Starts reading from a descriptor, which stays the caller's. */
  open(fd: number): void {
    this.#check(this.#lib.archive_read_open_fd(this.#archive, fd, blockSize));
  }

  /**
   * Starts reading what `source` gives piece by piece, undefined at the end; a piece stays as it is until the next is
   * asked for. What it throws is thrown on by the call that needed it.
   */
  openSource(source: () => Uint8Array | undefined): void {
    const piece = new BigUint64Array(1);
    const give = (_archive: Pointer, _data: Pointer, address: Pointer): number => {
      try {
        const bytes = source();
        if (bytes === undefined) return 0;
        piece[0] = BigInt(ptr(bytes));
        this.#lib.memcpy(address, ptr(piece), piece.byteLength);
        return bytes.length;
      } catch (cause) {
        this.#failure = { cause };
        return ARCHIVE_FATAL;
      }
    };
    this.#callback = new JSCallback(give, { args: ["ptr", "ptr", "ptr"], returns: "i64" });
    this.#check(this.#lib.archive_read_open(this.#archive, null, null, this.#callback.ptr, null));
  }

  /** Goes on to the next entry; false at the end. */
  next(): boolean {
    const result = this.#lib.archive_read_next_header(this.#archive, this.#slot[0]);
    if (result === ARCHIVE_EOF) return false;
    this.#check(result);
    this.#entry = Number(this.#out[0]) as Pointer;
    return true;
  }

  /** The next piece of the entry's content; undefined at its end. */
  block(): Block | undefined {
    const [address, size, offset] = this.#slot;
    const result = this.#lib.archive_read_data_block(this.#archive, address, size, offset);
    if (result === ARCHIVE_EOF) return undefined;
    this.#check(result);
    return { address: Number(this.#out[0]), size: Number(this.#out[1]), offset: Number(this.#out[2]) };
  }

  get pathname(): string {
    return this.#text(this.#lib.archive_entry_pathname(this.#entry)) ?? "";
  }
  /** Path of the entry that this one is another name of. */
  get hardlink(): string | undefined {
    return this.#text(this.#lib.archive_entry_hardlink(this.#entry));
  }
  get symlink(): string {
    return this.#text(this.#lib.archive_entry_symlink(this.#entry)) ?? "";
  }
  /** S_IFREG and so on. */
  get type(): number {
    return this.#lib.archive_entry_filetype(this.#entry);
  }
  /** With set-user-id, set-group-id and sticky bits. */
  get permissions(): number {
    return this.#lib.archive_entry_perm(this.#entry);
  }
  get uid(): number {
    return Number(this.#lib.archive_entry_uid(this.#entry));
  }
  get gid(): number {
    return Number(this.#lib.archive_entry_gid(this.#entry));
  }
  /** Bytes, holes included. */
  get size(): number {
    return Number(this.#lib.archive_entry_size(this.#entry));
  }
  /** As the kernel packs it (dev_t). */
  get device(): bigint {
    return this.#lib.archive_entry_rdev(this.#entry);
  }
  get seconds(): number {
    return Number(this.#lib.archive_entry_mtime(this.#entry));
  }
  get nanoseconds(): number {
    return Number(this.#lib.archive_entry_mtime_nsec(this.#entry));
  }

  get accessed(): { seconds: number; nanoseconds: number } {
    const seconds = Number(this.#lib.archive_entry_atime(this.#entry));
    return { seconds, nanoseconds: Number(this.#lib.archive_entry_atime_nsec(this.#entry)) };
  }

  /** Calls back for each extended attribute; the value's memory is valid during the call. */
  attributes(each: (name: string, value: number, size: number) => void): void {
    const lib = this.#lib;
    if (lib.archive_entry_xattr_reset(this.#entry) === 0) return;
    const [name, value, size] = this.#slot;
    while (lib.archive_entry_xattr_next(this.#entry, name, value, size) === ARCHIVE_OK) {
      const [nameAt, valueAt, bytes] = [Number(this.#out[0]), Number(this.#out[1]), Number(this.#out[2])];
      each(this.#text(nameAt as Pointer) ?? "", valueAt, bytes);
    }
  }

  [Symbol.dispose](): void {
    this.#lib.archive_read_free(this.#archive);
    this.#callback?.close();
  }

  #text(at: Pointer | bigint | null): string | undefined {
    if (at === null) return undefined;
    const address = Number(at) as Pointer;
    const length = Number(this.#lib.strlen(address));
    if (length > this.#scratch.length) this.#scratch = Buffer.alloc(length * 2);
    this.#lib.memcpy(ptr(this.#scratch), address, length);
    return this.#scratch.toString("latin1", 0, length);
  }

  /** Warnings are about character sets and attributes that we do not ask for. */
  #check(result: number): void {
    if (result >= ARCHIVE_WARN) return;
    if (this.#failure !== undefined) throw this.#failure.cause;
    const why = this.#text(this.#lib.archive_error_string(this.#archive)) ?? "unknown error";
    throw new EngineError("invalid", `malformed archive: ${why}`);
  }
}
