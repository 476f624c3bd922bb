/** Hands each container its default system call filter, made once per set of capabilities that matters. */
import { withSyscallNumbers } from "#linux/libseccomp.ts";
import { compileFilter } from "./seccomp-filter.ts";
import { defaultProfile, type SeccompHost } from "./seccomp.ts";
import { allowedByCapability } from "./seccomp-table.ts";
import type { SeccompSpec } from "./types.ts";

/**
 * crun from 0.18 on loads this base64 text as the filter and leaves the rules uncompiled, which saves it 15 ms per
 * container. Other runtimes ignore the annotation; the rules are therefore always sent along.
 */
const BPF_ANNOTATION = "run.oci.seccomp_bpf_data";

export interface ContainerSeccomp {
  readonly rules: SeccompSpec;
  /** Empty where libseccomp is not installed: the runtime then compiles the rules. */
  readonly annotations: Readonly<Record<string, string>>;
}

export class SeccompProfiles {
  readonly host: SeccompHost;
  readonly #made = new Map<string, ContainerSeccomp>();

  constructor(host: SeccompHost) {
    this.host = host;
  }

  /** The default profile for a bounding set. A few milliseconds the first time, then a look-up. */
  default(capabilities: readonly string[]): ContainerSeccomp {
    const relevant = capabilities.filter((name) => name in allowedByCapability).toSorted();
    const key = relevant.join();
    let seccomp = this.#made.get(key);
    if (seccomp === undefined) {
      seccomp = this.#make(new Set(relevant));
      this.#made.set(key, seccomp);
    }
    return seccomp;
  }

  #make(capabilities: ReadonlySet<string>): ContainerSeccomp {
    const program = withSyscallNumbers((resolve) => compileFilter(this.host, capabilities, resolve));
    return {
      rules: defaultProfile(this.host, capabilities),
      annotations: program === undefined ? {} : { [BPF_ANNOTATION]: Buffer.from(program).toString("base64") },
    };
  }
}
