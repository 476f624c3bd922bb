/** The tables of volumes and of which container uses which. */
import type { Schema } from "#store/database.ts";

export const volumeSchema: Schema = {
  name: "volume",
  versions: [
    `CREATE TABLE volume (
       name TEXT PRIMARY KEY,
       created INTEGER NOT NULL,          -- milliseconds since the epoch
       labels TEXT NOT NULL,              -- JSON object
       anonymous INTEGER NOT NULL,
       populated INTEGER NOT NULL         -- 1 once image content was copied in, or never will be
     ) STRICT;
     CREATE TABLE volume_use (
       volume TEXT NOT NULL REFERENCES volume (name),
       container TEXT NOT NULL,
       PRIMARY KEY (volume, container)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX volume_use_container ON volume_use (container);`,
  ],
};
