/** Entries for the tests of `FileWatch`'s pure parts. */
import type { FileEntry } from "../../src/reactor/FileWatchEntry.ts"

/** A file of this number, as it was at a time; whatever else is said of it. */
export const file = (number: number, more: Partial<FileEntry> = {}): FileEntry => ({
  kind: "File",
  sizeBytes: 1,
  mtimeNanos: 1n,
  ctimeNanos: 1n,
  mode: 0o644,
  uid: 0,
  gid: 0,
  links: 1,
  identity: `1:${number}:1`,
  identityIsCertain: true,
  isFresh: false,
  ...more
})

export const directory = (number: number, more: Partial<FileEntry> = {}): FileEntry =>
  file(number, { kind: "Directory", mode: 0o755, links: 2, ...more })
