/** What is known of one file, directory or link: enough to tell whether it changed, and whether it is the same one. */

export type FileKind = "Directory" | "File" | "Other" | "SymbolicLink"

export interface FileEntry {
  readonly kind: FileKind
  readonly sizeBytes: number
  /** When the content changed, in nanoseconds since 1970. */
  readonly mtimeNanos: bigint
  /** When anything about it changed, in nanoseconds since 1970. */
  readonly ctimeNanos: bigint
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** How many names it has. */
  readonly links: number
  /** The same for the same file, whatever it is called meanwhile. */
  readonly identity: string
  /**
   * Whether another file surely has another identity: the time of birth is part of it. Inode numbers alone are given
   * again at once.
   */
  readonly identityIsCertain: boolean
  /** It changed so shortly before it was looked at that a later change may leave the same time. */
  readonly isFresh: boolean
}

/** How two looks at the file of one name differ. `Content`: it may have changed; `Attributes`: nothing else has. */
export type FileDifference = "Attributes" | "Content" | "None" | "Replaced"

/** Whether these are one file, as far as the system tells. */
export const isSame = (before: FileEntry, after: FileEntry): boolean =>
  before.kind === after.kind && before.identity === after.identity

export const difference = (before: FileEntry, after: FileEntry): FileDifference => {
  if (!isSame(before, after)) return "Replaced"
  const attributes = before.mode !== after.mode || before.uid !== after.uid || before.gid !== after.gid
  // What is in a directory has changes of its own; its times, size and links follow from them.
  if (before.kind === "Directory") return attributes ? "Attributes" : "None"
  if (hasOtherContent(before, after)) return "Content"
  if (attributes || before.links !== after.links) return "Attributes"
  // Written, and its time set back: a copy that keeps times.
  return before.ctimeNanos === after.ctimeNanos ? "None" : "Content"
}

/** By size and time. A rename changes neither. */
export const hasOtherContent = (before: FileEntry, after: FileEntry): boolean =>
  before.kind !== "Directory" &&
  (before.sizeBytes !== after.sizeBytes || before.mtimeNanos !== after.mtimeNanos)

/** Whether another name with this identity is where this file went: not a second name of it, nor a number given again. */
export const isTraceable = (entry: FileEntry): boolean =>
  entry.identityIsCertain && (entry.kind === "Directory" || entry.links === 1)
