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
    `ALTER TABLE volume ADD COLUMN options TEXT;      -- of the driver: JSON object, NULL for none
     ALTER TABLE volume ADD COLUMN project INTEGER;   -- of the quota; NULL where no quota or an image bounds the size
     CREATE UNIQUE INDEX volume_project ON volume (project);
     ALTER TABLE volume_use ADD COLUMN named INTEGER NOT NULL DEFAULT 0;    -- 1 where the user named it: rm -v leaves it
     ALTER TABLE volume_use ADD COLUMN filled INTEGER NOT NULL DEFAULT 0;   -- 1 once the image's content was offered
     UPDATE volume_use SET filled = (SELECT populated FROM volume WHERE name = volume);
     ALTER TABLE volume DROP COLUMN populated;`,
  ],
};
