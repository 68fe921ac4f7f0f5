/**
 * What plugins need of a platform: to look for `package.json` files, and to load a module. `NodePluginFiles` (in `node`) has it
 * for Node, `MemoryPluginFiles` for tests.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SystemError } from "../reactor/FileWatchPlatform.ts"

/** Paths are absolute, and the system's own, but what `resolve` and `split` get. */
export interface PluginFiles {
  /** Absolute, without `.` and `..`. */
  readonly resolve: (path: string) => string
  /** What is below a directory under a relative path with `/`. */
  readonly at: (directory: string, below: string) => string
  /** The directory that `path` is in; the top is in itself. */
  readonly parentOf: (path: string) => string
  readonly nameOf: (path: string) => string
  /** The paths of a list as the system writes them in its variables: `a:b` on UNIX, `a;b` on Windows. */
  readonly split: (list: string) => ReadonlyArray<string>
  /** The names of what may be a directory, links among them; `undefined` where no directory is. */
  readonly folders: (directory: string) => Effect.Effect<ReadonlyArray<string> | undefined, SystemError>
  /** A file's bytes; `undefined` where no file is. One of more than `bytesMax` fails with `EFBIG`, and is not read. */
  readonly read: (file: string, bytesMax: number) => Effect.Effect<Uint8Array | undefined, SystemError>
  /** The path without links; `undefined` where nothing is. */
  readonly realPath: (path: string) => Effect.Effect<string | undefined, SystemError>
  /** Executes a module, once, and gives its exports; the cause of a failure is what it threw. */
  readonly load: (file: string) => Effect.Effect<Readonly<Record<string, unknown>>, Cause.UnknownError>
}

export class PluginSource extends Context.Service<PluginSource, PluginFiles>()(
  "spindle/plugin/PluginSource"
) {}

/** `PluginSource.layer(NodePluginFiles.files)`. */
export const layer = (files: PluginFiles): Layer.Layer<PluginSource> => Layer.succeed(PluginSource, files)
