import * as ByteSize from "effect/ByteSize"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { DiskNode } from "./DiskNode.ts"

/** What `stat` says. */
export const infoOf = ({ _tag, mode, modifiedMillis, number, size }: DiskNode): FileSystem.File.Info => ({
  type: _tag,
  mtime: Option.some(new Date(modifiedMillis)),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 1n,
  ino: Option.some(BigInt(number)),
  mode,
  nlink: Option.none(),
  uid: Option.none(),
  gid: Option.none(),
  rdev: Option.none(),
  size: ByteSize.bytes(size),
  blksize: Option.none(),
  blocks: Option.none()
})
