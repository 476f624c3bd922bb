/** Prometheus' text format (version 0.0.4). */

export type Labels = Readonly<Record<string, string>>;
export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
  /** Appended to the family's name: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
}

/** One family of samples as text. */
export function family(
  name: string,
  type: "counter" | "gauge" | "histogram",
  help: string,
  samples: readonly Sample[],
): string {
  const lines = samples.map(({ value, labels = {}, suffix = "" }) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escape(text)}"`);
    return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** Counts events by their labels. */
export class Counter {
  readonly #counts = new Map<string, { labels: Labels; value: number }>();

  add(labels: Labels): void {
    const key = Object.values(labels).join("\0");
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { labels, value: 1 });
    else entry.value++;
  }

  get samples(): Sample[] {
    return [...this.#counts.values()];
  }
}

/** The bounds that Docker's timers have, in seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How long things took, by one label. */
export class Histogram {
  readonly #label: string;
  readonly #series = new Map<string, { buckets: number[]; sum: number; count: number }>();

  /** `values` of the label are shown from the beginning. */
  constructor(label: string, values: readonly string[]) {
    this.#label = label;
    for (const value of values) this.#series.set(value, { buckets: BOUNDS.map(() => 0), sum: 0, count: 0 });
  }

  observe(value: string, seconds: number): void {
    const series = this.#series.get(value);
    if (series === undefined) return;
    series.sum += seconds;
    series.count++;
    BOUNDS.forEach((bound, at) => {
      if (seconds <= bound) series.buckets[at] = (series.buckets[at] ?? 0) + 1;
    });
  }

  get samples(): Sample[] {
    return [...this.#series].flatMap(([value, { buckets, sum, count }]) => {
      const labels = { [this.#label]: value };
      return [
        ...BOUNDS.map((bound, at) => ({
          suffix: "_bucket",
          labels: { ...labels, le: String(bound) },
          value: buckets[at] ?? 0,
        })),
        { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: count },
        { suffix: "_sum", labels, value: sum },
        { suffix: "_count", labels, value: count },
      ];
    });
  }
}
