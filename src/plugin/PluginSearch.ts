/**
 * Which plugins there are. Only `package.json` files are read; nothing is executed, and nothing is written. From near to far:
 *
 * 1. The package that the directory belongs to: the nearest `package.json` at or above it.
 * 2. The paths that the user gave, in their order: a package, or a directory of packages.
 * 3. What is installed: the `node_modules` directories at and above the directory, as Node looks through them, each with its
 *    packages and those in its scopes, in the order of their names. Links are followed, so pnpm's layout and workspaces do.
 *
 * A package that is found more than once, by whatever path, counts where it was found first.
 */
import * as Effect from "effect/Effect"
import type { SystemError } from "../reactor/FileWatchPlatform.ts"
import type { Origin, PluginEntry } from "./PluginEntry.ts"
import { ofPath, type PluginError } from "./PluginError.ts"
import * as Manifest from "./PluginManifest.ts"
import { InvalidManifest, UnreadablePlace } from "./PluginReason.ts"
import type { PluginFiles } from "./PluginSource.ts"

export interface Where {
  /** Where the program was started, or its project. */
  readonly directory: string
  /** What the user gave besides. */
  readonly paths: ReadonlyArray<string>
}

export interface Found {
  /** From near to far. */
  readonly entries: ReadonlyArray<PluginEntry>
  readonly problems: ReadonlyArray<PluginError>
}

const manifestName = "package.json"
const modulesName = "node_modules"

export const search = (files: PluginFiles, where: Where): Effect.Effect<Found> =>
  Effect.suspend(() => new Search(files).run(where))

class Search {
  private readonly files: PluginFiles
  private readonly entries: Array<PluginEntry> = []
  private readonly problems: Array<PluginError> = []
  /** The real paths of packages that were found. */
  private readonly seen = new Set<string>()

  constructor(files: PluginFiles) {
    this.files = files
  }

  run({ directory, paths }: Where): Effect.Effect<Found> {
    return Effect.gen({ self: this }, function* () {
      const { files } = this
      const above = this.upwards(files.resolve(directory))
      yield* this.project(above)
      for (const path of paths) yield* this.given(files.resolve(path))
      for (const each of above) {
        if (files.nameOf(each) !== modulesName)
          yield* this.packagesIn(files.at(each, modulesName), "installed")
      }
      return { entries: this.entries, problems: this.problems }
    })
  }

  private upwards(directory: string): ReadonlyArray<string> {
    const all = [directory]
    for (;;) {
      const last = all.at(-1)!
      const parent = this.files.parentOf(last)
      if (parent === last) return all
      all.push(parent)
    }
  }

  /** Node's package scope: the nearest `package.json`, not beyond a `node_modules` directory. */
  private project(above: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (const directory of above) {
        if (this.files.nameOf(directory) === modulesName) return
        if (yield* this.packageAt(directory, "project")) return
      }
    })
  }

  private given(path: string): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (yield* this.packageAt(path, "path")) return
      if (!(yield* this.packagesIn(path, "path"))) {
        this.problems.push(ofPath(path, new UnreadablePlace({ detail: "there is no such directory" })))
      }
    })
  }

  /** Everything that is a package in a directory, or in a scope in it; false, if there is no such directory. */
  private packagesIn(directory: string, origin: Origin): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const names = yield* this.foldersIn(directory)
      for (const name of names ?? []) {
        const path = this.files.at(directory, name)
        if (!name.startsWith("@")) {
          yield* this.packageAt(path, origin)
          continue
        }
        for (const scoped of (yield* this.foldersIn(path)) ?? []) {
          yield* this.packageAt(this.files.at(path, scoped), origin)
        }
      }
      return names !== undefined
    })
  }

  /** Without those of npm and pnpm themselves (`.bin`, `.pnpm`). */
  private foldersIn(directory: string): Effect.Effect<ReadonlyArray<string> | undefined> {
    return Effect.map(this.orProblem(directory, this.files.folders(directory), []), (names) =>
      names?.filter((name) => !name.startsWith(".")).toSorted()
    )
  }

  /** Takes the plugins of a package; false, if there is none. */
  private packageAt(directory: string, origin: Origin): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const path = this.files.at(directory, manifestName)
      const bytes = yield* this.orProblem(path, this.files.read(path, Manifest.manifestBytesMax), nothing)
      if (bytes === undefined) return false
      const name = this.files.nameOf(directory)
      const { entries, problems } = Manifest.parse(bytes, { origin, directory, path, name })
      if (entries.length + problems.length === 0) return true
      const real = (yield* this.orProblem(directory, this.files.realPath(directory), directory)) ?? directory
      if (this.seen.has(real)) return true
      this.seen.add(real)
      this.entries.push(...entries)
      this.problems.push(...problems)
      return true
    })
  }

  /** What cannot be looked at is told, and counts as `instead`. */
  private orProblem<A>(path: string, look: Effect.Effect<A, SystemError>, instead: A): Effect.Effect<A> {
    return Effect.catchTag(look, "SystemError", (cause) => {
      this.problems.push(ofPath(path, whyNot(cause)))
      return Effect.succeed(instead)
    })
  }
}

const nothing = new Uint8Array(0)

const whyNot = (cause: SystemError): UnreadablePlace | InvalidManifest => {
  if (cause.code === "EFBIG") {
    return new InvalidManifest({ detail: `it has more than ${Manifest.manifestBytesMax} bytes`, cause })
  }
  const detail = cause.code === "EACCES" || cause.code === "EPERM" ? "permission denied" : cause.message
  return new UnreadablePlace({ detail: `it cannot be read: ${detail}`, cause })
}
