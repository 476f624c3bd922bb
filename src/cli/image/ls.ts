/** `berth images`, `berth image ls`: lists images. */
import type { ImageSummary } from "#api/types/image.ts";
import { verb as define } from "../command.ts";
import { filterQuery } from "../connection.ts";
import { ExitError } from "../errors.ts";
import { chooseFormat, Formatter, listFormat, type Headers } from "../format.ts";
import { bool, filters } from "../kinds.ts";
import { Row } from "../template/value.ts";
import { ago, humanSize, localTime, shortId } from "../units.ts";

export const imageHeaders: Headers = {
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Containers: "CONTAINERS",
  VirtualSize: "SIZE",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
};
const created = "{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}";

export const verb = define({
  use: "[OPTIONS] [REPOSITORY[:TAG]]",
  flags: {
    all: bool("Show all images (default hides intermediate images)", { short: "a" }),
    digests: bool("Show digests"),
    filter: filters("Filter output based on conditions provided", { short: "f" }),
    format: listFormat,
    "no-trunc": bool("Don't truncate output"),
    quiet: bool("Only show image IDs", { short: "q" }),
    tree: bool("List multi-platform images as a tree (not available)", { hidden: true }),
  },
  args: { min: 0, max: 1 },
  complete: ["images"],
  async run(session, { flags, args }) {
    if (flags.tree) throw new ExitError(1, "berth: --tree is not available yet");
    const custom = chooseFormat(flags.format, session.preferences.imagesFormat, flags.quiet, "{{.ID}}");
    const columns = [
      "{{.Repository}}",
      "{{.Tag}}",
      ...(flags.digests ? ["{{.Digest}}"] : []),
      "{{.ID}}",
      created,
      "{{.Size}}",
    ];
    const formatter = new Formatter(custom, columns.join("\t"), imageHeaders, {
      raw: rawForm(flags.quiet, flags.digests),
    });
    const [reference] = args;
    const images = await session.daemon.json<ImageSummary[]>("GET", "/images/json", {
      query: {
        all: flags.all,
        filters: filterQuery({
          ...flags.filter,
          ...(reference === undefined ? {} : { reference: [...(flags.filter["reference"] ?? []), reference] }),
        }),
      },
    });
    const withDigests = flags.digests || custom.includes("{{.Digest}}");
    const rows = images.flatMap((image) =>
      names(image, withDigests).map((name) => imageRow(image, name, !flags["no-trunc"])),
    );
    session.out.write(formatter.format(rows));
  },
});

function rawForm(quiet: boolean, digests: boolean): string {
  if (quiet) return "image_id: {{.ID}}";
  const digest = digests ? "digest: {{.Digest}}\n" : "";
  return (
    `repository: {{ .Repository}}\ntag: {{.Tag}}\n${digest}` +
    "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n"
  );
}

/** What one line shows of an image's names. */
export interface ImageLine {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** A line for each tag (and digest of it, if asked for), and for repositories that only have a digest. */
export function names(
  { RepoTags, RepoDigests }: Pick<ImageSummary, "RepoTags" | "RepoDigests">,
  withDigests: boolean,
): ImageLine[] {
  const tags = (RepoTags ?? [])
    .filter((tag) => tag !== "<none>:<none>")
    .map((tag) => splitAt(tag, tag.lastIndexOf(":")));
  const digests = (RepoDigests ?? [])
    .filter((digest) => digest !== "<none>@<none>")
    .map((digest) => splitAt(digest, digest.indexOf("@")));
  if (tags.length === 0 && digests.length === 0) return [{ repository: "<none>", tag: "<none>", digest: "<none>" }];
  const tagged = tags.flatMap(([repository, tag]) => {
    const own = withDigests ? digests.filter(([name]) => name === repository).map(([, digest]) => digest) : [];
    return (own.length > 0 ? own : ["<none>"]).map((digest) => ({ repository, tag, digest }));
  });
  const untagged = digests.filter(([name]) => !tags.some(([repository]) => repository === name));
  const rest = withDigests
    ? untagged.map(([repository, digest]) => ({ repository, tag: "<none>", digest }))
    : [...new Set(untagged.map(([repository]) => repository))].map((repository) => ({
        repository,
        tag: "<none>",
        digest: "",
      }));
  return [...tagged, ...rest];
}

function splitAt(text: string, at: number): [head: string, tail: string] {
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The placeholders of `images --format`. */
export function imageRow(image: ImageSummary, { repository, tag, digest }: ImageLine, trunc: boolean): Row {
  const known = (size: number) => (size === -1 ? "N/A" : humanSize(size));
  return new Row("*formatter.imageContext", {
    ID: () => (trunc ? shortId(image.Id) : image.Id),
    Repository: () => repository,
    Tag: () => tag,
    Digest: () => digest,
    CreatedSince: () => ago(image.Created * 1000),
    CreatedAt: () => localTime(image.Created),
    Size: () => humanSize(image.Size, 3),
    Containers: () => (image.Containers === -1 ? "N/A" : String(image.Containers)),
    VirtualSize: () => humanSize(image.Size),
    SharedSize: () => known(image.SharedSize),
    UniqueSize: () => (image.Size === -1 || image.SharedSize === -1 ? "N/A" : humanSize(image.Size - image.SharedSize)),
  });
}
