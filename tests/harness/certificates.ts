/** A certificate authority of the test's own, with a server's and a client's certificate, made by openssl. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { output } from "./process.ts";

export class Certificates implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `ca.pem`; `server` and `client` hold `cert.pem` and `key.pem` each, and the client a copy of `ca.pem`. */
  static async make(): Promise<Certificates> {
    const made = new Certificates(await mkdtemp("/var/tmp/bt-tls-"));
    await made.#key(made.path("ca-key.pem"));
    const authority = ["-new", "-x509", "-days", "2", "-subj", "/CN=test authority", "-sha256"];
    await openssl("req", ...authority, "-key", made.path("ca-key.pem"), "-out", made.path("ca.pem"));
    await made.issue("server");
    await made.issue("client");
    await Bun.write(made.path("client/ca.pem"), Bun.file(made.path("ca.pem")));
    return made;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A new certificate for `name`, in its folder, over what was there. */
  async issue(name: string): Promise<void> {
    await Bun.write(
      this.path("extensions"),
      "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n",
    );
    await Bun.write(this.path(`${name}/key.pem`), "");
    await this.#key(this.path(`${name}/key.pem`));
    const request = this.path("request.pem");
    await openssl("req", "-new", "-subj", `/CN=${name}`, "-key", this.path(`${name}/key.pem`), "-out", request);
    const signer = ["-CA", this.path("ca.pem"), "-CAkey", this.path("ca-key.pem"), "-CAcreateserial"];
    const extensions = ["-days", "2", "-extfile", this.path("extensions")];
    await openssl("x509", "-req", "-in", request, ...signer, ...extensions, "-out", this.path(`${name}/cert.pem`));
  }

  async #key(file: string): Promise<void> {
    await openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

async function openssl(...words: string[]): Promise<void> {
  await output(["openssl", ...words]);
}
