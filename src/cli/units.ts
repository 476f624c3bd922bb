/** Times and sizes as Docker writes them for people, and reads them from the command line (docker/go-units). */

const second = 1e9;
const minute = 60 * second;
const hour = 60 * minute;

/** An age in words, from nanoseconds: `About a minute`, `3 weeks`. */
export function humanDuration(nanos: number): string {
  const seconds = Math.trunc(nanos / second);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(nanos / minute);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(nanos / hour + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(nanos / hour / 24 / 365)} years`;
}

/** `5 minutes ago`; `time` in milliseconds since the epoch. */
export function ago(time: number, now = Date.now()): string {
  return `${humanDuration((now - time) * 1e6)} ago`;
}

const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

/** Bytes in powers of 1000 with so many significant digits: `1.98MB`. */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, 1000, digits, decimalUnits);
}

/** Bytes in powers of 1024: `1.892MiB`. */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, 4, binaryUnits);
}

function scaled(bytes: number, base: number, digits: number, units: readonly string[]): string {
  let size = bytes;
  let unit = 0;
  while (size >= base && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  return general(size, digits) + units[unit];
}

/** printf's %.Ng. */
function general(value: number, digits: number): string {
  if (value === 0) return "0";
  const [mantissa = "", exponent = "0"] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= digits) {
    const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return `${short}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const text = value.toFixed(Math.max(0, digits - 1 - power));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Seconds from the epoch as Go prints a local time: `2026-11-24 04:50:15 +0000 UTC`. */
export function localTime(seconds: number): string {
  const time = new Date(seconds * 1000);
  const offset = -time.getTimezoneOffset();
  const two = (value: number) => String(Math.trunc(Math.abs(value))).padStart(2, "0");
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return `${date} ${clock} ${offset < 0 ? "-" : "+"}${two(offset / 60)}${two(offset % 60)} ${zoneName(time)}`;
}

/** As `localTime`, from RFC 3339, with the fraction that it has. In its own zone, as Go prints a time it has read. */
export function exactTime(text: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|([+-]\d\d):(\d\d))$/.exec(text);
  if (!match) return text;
  const [, day, clock, fraction = "", zone, hours, minutes] = match;
  const exact = fraction.replace(/\.?0+$/, "");
  return zone === "Z"
    ? `${day} ${clock}${exact} +0000 UTC`
    : `${day} ${clock}${exact} ${hours}${minutes} ${hours}${minutes}`;
}

/** The zone's abbreviation, or its offset where it has none. */
function zoneName(time: Date): string {
  return /\(([A-Z]{2,5})\)$/.exec(time.toString())?.[1] ?? intlZone(time);
}

function intlZone(time: Date): string {
  const name = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" })
    .formatToParts(time)
    .find((part) => part.type === "timeZoneName")?.value;
  return (
    name?.replace(/^GMT([+-])(\d+)$/, (_all, sign: string, hours: string) => sign + hours.padStart(2, "0")) ?? "UTC"
  );
}

/** Cuts to so many display columns, the last one an ellipsis. */
export function ellipsis(text: string, size: number): string {
  const chars = [...text];
  if (chars.length <= size) return text;
  return size <= 1 ? chars.slice(0, size).join("") : `${chars.slice(0, size - 1).join("")}…`;
}

/** The first 12 digits of an id, without its algorithm. */
export function shortId(id: string): string {
  return id.slice(id.indexOf(":") + 1, id.indexOf(":") + 13);
}
