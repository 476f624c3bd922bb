import { expect, test } from "bun:test";
import { resolveSource } from "./network-source.ts";

const addresses: Readonly<Record<string, string>> = { files: "10.0.0.9", six: "fd00::9" };
const resolve = async (name: string): Promise<string> => {
  const address = addresses[name];
  if (address === undefined) throw new Error(`getaddrinfo ENOTFOUND ${name}`);
  return address;
};

test.each([
  ["nfs", ":/export", "addr=files,rw", ":/export", "addr=10.0.0.9,rw"],
  ["nfs4", ":/export", "rw,addr=six", ":/export", "rw,addr=fd00::9"],
  ["nfs", ":/export", "addr=10.1.2.3,rw", ":/export", "addr=10.1.2.3,rw"],
  ["nfs", ":/export", "clientaddr=files,rw", ":/export", "clientaddr=files,rw"],
  ["cifs", "//files/share/a b", "user=x", "//10.0.0.9/share/a b", "user=x"],
  ["cifs", "//six/share", "user=x", "//fd00::9/share", "user=x"],
  ["cifs", "//other/share", "addr=files,user=x", "//other/share", "addr=10.0.0.9,user=x"],
  ["cifs", "//10.1.2.3/share", "", "//10.1.2.3/share", ""],
  ["ext4", "/dev/files", "addr=files", "/dev/files", "addr=files"],
])("%s %s %s", async (type, device, options, toDevice, toOptions) => {
  const resolved = await resolveSource({ type, device, options }, resolve);
  expect(resolved).toEqual({ type, device: toDevice, options: toOptions });
});

test("a name that nobody knows is told", async () => {
  const source = { type: "nfs", device: ":/export", options: "addr=nowhere" };
  await expect(resolveSource(source, resolve)).rejects.toThrow(
    "error resolving passed in network volume address: getaddrinfo ENOTFOUND nowhere",
  );
});
