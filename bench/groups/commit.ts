/** What a container wrote, 2,000 small files of it: listing the changes, and making an image of them. */
import { until } from "../../tests/harness/process.ts";
import { image, imagePrefix } from "../image.ts";
import { atMost, type Group, milliseconds } from "../metric.ts";

const script =
  "mkdir /d; i=0; while [ $i -lt 2000 ]; do echo $i > /d/f$i; i=$((i+1)); done; touch /ready; exec sleep 600";

export const commit: Group = {
  name: "commit",
  metrics: [
    { name: "diff_2000_files", unit: "ms", better: "lower", bar: atMost(0.6) },
    { name: "commit_2000_files", unit: "s", better: "lower", bar: atMost(0.4) },
  ],
  runs: 5,
  needsDockerClient: true,
  settle: true,
  run: async (target) => {
    const name = target.name();
    const reference = `${imagePrefix}commit:1`;
    try {
      await target.docker(["run", "-d", "--name", name, image, "sh", "-c", script]);
      await until("the files are written", async () => {
        const answer = await target.wire.send("HEAD", `/containers/${name}/archive?path=/ready`);
        await answer.bytes();
        return answer.ok;
      });
      let listed = "";
      const diff_2000_files = await milliseconds(async () => (listed = await target.docker(["diff", name])));
      const files = listed.split("\n").filter((line) => line.startsWith("A /d/f")).length;
      if (files !== 2000) throw new Error(`diff lists ${files} files, not 2000`);
      const commit_2000_files = (await milliseconds(() => target.docker(["commit", name, reference]))) / 1000;
      return { diff_2000_files, commit_2000_files };
    } finally {
      await target.discard(name);
      await (await target.wire.send("DELETE", `/images/${reference}?force=1`)).bytes();
    }
  },
};
