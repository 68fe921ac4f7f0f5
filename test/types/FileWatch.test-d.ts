import { describe, expectTypeOf, it } from "vitest"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as NodeFileWatch from "../../src/node/NodeFileWatch.ts"
import * as FileWatch from "../../src/reactor/FileWatch.ts"
import { applied, type FileBatch, FileChange, type FileSnapshot } from "../../src/reactor/FileWatchChange.ts"
import type { FileEntry } from "../../src/reactor/FileWatchEntry.ts"
import type { FileWatchError } from "../../src/reactor/FileWatchError.ts"
import type { FileWatchPlatform } from "../../src/reactor/FileWatchPlatform.ts"

class Build extends Context.Service<Build, { readonly run: Effect.Effect<number, "broken"> }>()(
  "types/Build"
) {}
class Index extends Context.Service<
  Index,
  { readonly drop: (path: string) => Effect.Effect<void, "locked"> }
>()("types/Index") {}

describe("FileWatch", () => {
  it("watch needs the service and a scope", () => {
    expectTypeOf(FileWatch.watch("src")).toEqualTypeOf<
      Effect.Effect<FileWatch.WatchedTree, FileWatchError, FileWatch.FileWatch | Scope.Scope>
    >()
    expectTypeOf(FileWatch.make).toEqualTypeOf<
      (platform: FileWatchPlatform) => FileWatch.FileWatch["Service"]
    >()
    expectTypeOf(NodeFileWatch.layer).toEqualTypeOf<Layer.Layer<FileWatch.FileWatch>>()
  })

  it("options say what they take", () => {
    type Ignore = NonNullable<FileWatch.FileWatchOptions["ignore"]>
    expectTypeOf<Ignore>().parameters.toEqualTypeOf<[path: string, entry: FileEntry]>()
    expectTypeOf<FileWatch.FileWatchOptions["quietTime"]>().toEqualTypeOf<Duration.Input | undefined>()
    // @ts-expect-error a predicate tells yes or no
    void FileWatch.watch("src", { ignore: (path) => path })
  })

  it("streams hold the scope themselves", () => {
    expectTypeOf(FileWatch.batches("src")).toEqualTypeOf<
      Stream.Stream<FileBatch, FileWatchError, FileWatch.FileWatch>
    >()
    expectTypeOf(FileWatch.changes("src")).toEqualTypeOf<
      Stream.Stream<FileChange, FileWatchError, FileWatch.FileWatch>
    >()
    expectTypeOf<FileWatch.WatchedTree["next"]>().toEqualTypeOf<Effect.Effect<FileBatch, FileWatchError>>()
    expectTypeOf<FileWatch.WatchedTree["changes"]>().toEqualTypeOf<
      Stream.Stream<FileChange, FileWatchError>
    >()
  })

  it("handlers get their kind of change; errors and services of all of them are told", () => {
    const handled = FileWatch.handle("src", {
      Created: (change, tree) => {
        expectTypeOf(change).toEqualTypeOf<Extract<FileChange, { readonly _tag: "Created" }>>()
        expectTypeOf(tree).toEqualTypeOf<FileWatch.WatchedTree>()
        return Effect.flatMap(Build, (build) => build.run)
      },
      Moved: ({ from }) => Effect.flatMap(Index, (index) => index.drop(from)),
      Modified: ({ replaced }) => {
        expectTypeOf(replaced).toEqualTypeOf<boolean>()
        return Effect.void
      }
    })
    expectTypeOf(handled).toEqualTypeOf<
      Effect.Effect<never, "broken" | "locked" | FileWatchError, Build | Index | FileWatch.FileWatch>
    >()
  })

  it("handlers may use the scope of the watch", () => {
    const handled = FileWatch.handle("src", {
      Removed: () => Effect.addFinalizer(() => Effect.void)
    })
    expectTypeOf(handled).toEqualTypeOf<Effect.Effect<never, FileWatchError, FileWatch.FileWatch>>()
    // @ts-expect-error only a move has a `from`
    void FileWatch.handle("src", { Created: ({ from }) => Effect.succeed(from) })
  })

  it("reasons narrow", () => {
    const caught = Effect.catchReason(
      FileWatch.watch("src"),
      "FileWatchError",
      "TooManyWatches",
      (reason) => {
        expectTypeOf(reason.watches).toEqualTypeOf<number>()
        return Effect.succeed(reason.errno)
      }
    )
    expectTypeOf(caught).toExtend<
      Effect.Effect<
        FileWatch.WatchedTree | string | undefined,
        FileWatchError,
        FileWatch.FileWatch | Scope.Scope
      >
    >()
  })

  it("changes are matched, and applied", () => {
    expectTypeOf(applied).toEqualTypeOf<
      (snapshot: FileSnapshot, changes: Iterable<FileChange>) => FileSnapshot
    >()
    expectTypeOf(
      FileChange.$match({
        Created: ({ path }) => path,
        Modified: ({ entry }) => entry.sizeBytes,
        AttributesChanged: () => true as const,
        Removed: () => undefined,
        Moved: ({ from }) => from
      })
    )
      .parameter(0)
      .toEqualTypeOf<FileChange>()
  })
})
