/**
 * Watching a tree of files. Twisted: `inotify.INotify`.
 *
 * - New directories are watched, and what was made in them before is found. A tree that goes and comes back is followed,
 *   its root too.
 * - Changes come in batches, once it has been quiet, or for long enough; each tells the net change since the last one.
 *   After a batch the snapshot is what the file system was at that time, and what came later leads to another batch.
 * - Nobody who does not ask gets anything: changes wait where they are, in the file system. A slow reader gets fewer and
 *   greater batches, and nothing piles up.
 * - Links are not followed, but the root; a name that no longer leads there because a directory above it was moved is
 *   noticed by `rescan` only.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { FileBatch, FileChange, FileSnapshot } from "./FileWatchChange.ts"
import { FileWatchEngine } from "./FileWatchEngine.ts"
import type { FileEntry } from "./FileWatchEntry.ts"
import type { FileWatchError } from "./FileWatchError.ts"
import type { FileWatchPlatform } from "./FileWatchPlatform.ts"

export interface FileWatchOptions {
  /** What it says true of is not there, nor anything below it. The path is relative, with `/`. Default: nothing. */
  readonly ignore?: ((path: string, entry: FileEntry) => boolean) | undefined
  /** Levels below the root that are seen; 1 is what is directly in it. Default: all. */
  readonly depthMax?: number | undefined
  /** Directories watched at most (on macOS and Windows one watch does for all of them). Default: what the system allows. */
  readonly watchesMax?: number | undefined
  /**
   * Links count as what they lead to, and directories are watched behind them; not where a link leads back to a directory
   * that it is in. What is written to a file behind a link shows when the link changes, or in a `rescan`. Default: no.
   */
  readonly followSymlinks?: boolean | undefined
  /** A batch comes when nothing happened for so long. Default 50 milliseconds. */
  readonly quietTime?: Duration.Input | undefined
  /** And at the latest so long after the first change. Default 1 second. */
  readonly delayMax?: Duration.Input | undefined
  /** Looks at everything again after so long without a change: for network drives, whose changes nobody tells. Default: never. */
  readonly rescanInterval?: Duration.Input | undefined
  /** The first batch has everything that is there as `Created`. Default: no. */
  readonly tellExisting?: boolean | undefined
  /** Nothing need be there yet. Default: that is the failure `NotFound`. */
  readonly awaitRoot?: boolean | undefined
}

export interface FileWatchStatus {
  /** Directories watched. */
  readonly watches: number
  readonly entries: number
  /** How often everything was looked at again: after hints were lost, or when asked. */
  readonly rescans: number
  /**
   * Directories that cannot be read or watched, by relative path: they count as empty, until something happens to them
   * or a `rescan` finds them better.
   */
  readonly unseen: ReadonlyMap<string, FileWatchError>
}

export interface WatchedTree {
  /** Absolute. */
  readonly root: string
  /**
   * Waits for the next changes. Those who ask at the same time take turns, and each batch goes to one of them. It
   * fails once when some directory can no longer be watched; asking again goes on with what can (`status` tells the rest).
   */
  readonly next: Effect.Effect<FileBatch, FileWatchError>
  readonly batches: Stream.Stream<FileBatch, FileWatchError>
  readonly changes: Stream.Stream<FileChange, FileWatchError>
  /** The tree as it was when this began, with all batches since. */
  readonly snapshot: Effect.Effect<FileSnapshot>
  /** Looks at everything again. What differs comes as a batch. */
  readonly rescan: Effect.Effect<void>
  readonly status: Effect.Effect<FileWatchStatus>
  /** The system's name of a path in it. */
  readonly at: (path: string) => string
}

export class FileWatch extends Context.Service<
  FileWatch,
  {
    /** Watches a directory with all that is in it, or a file, until the scope ends; from when this returns. */
    readonly watch: (
      path: string,
      options?: FileWatchOptions
    ) => Effect.Effect<WatchedTree, FileWatchError, Scope.Scope>
  }
>()("spindle/reactor/FileWatch") {}

/** Watching, on a platform that knows how to. */
export const make = (platform: FileWatchPlatform): FileWatch["Service"] =>
  FileWatch.of({
    watch: Effect.fn("FileWatch.watch")(function* (path, options) {
      const clock = yield* Clock.Clock
      const root = platform.resolve(path)
      const engine = yield* Effect.acquireRelease(
        Effect.sync(() => new FileWatchEngine(platform, root, settingsOf(options), clock)),
        (engine) => Effect.sync(() => engine.close())
      )
      yield* engine.start({
        tell: options?.tellExisting ?? false,
        await: options?.awaitRoot ?? false
      })
      const turn = Semaphore.makeUnsafe(1)
      const next = Semaphore.withPermits(
        turn,
        1
      )(Effect.map(engine.next, (changes): FileBatch => ({ root, changes })))
      return {
        root,
        next,
        batches: Stream.fromEffectRepeat(next),
        changes: Stream.flattenArray(Stream.fromEffectRepeat(Effect.map(next, ({ changes }) => changes))),
        snapshot: Effect.sync(() => engine.snapshot()),
        rescan: Effect.sync(() => engine.rescan()),
        status: Effect.sync(() => ({
          watches: engine.directories,
          entries: engine.tree.size,
          rescans: engine.rescans,
          unseen: new Map(engine.unseen)
        })),
        at: (below) => platform.at(root, below)
      }
    })
  })

const settingsOf = (options: FileWatchOptions = {}) => ({
  ignore: options.ignore ?? (() => false),
  depthMax: options.depthMax ?? Number.POSITIVE_INFINITY,
  watchesMax: options.watchesMax ?? Number.POSITIVE_INFINITY,
  followSymlinks: options.followSymlinks ?? false,
  quietMillis: Duration.toMillis(options.quietTime ?? 50),
  longestMillis: Duration.toMillis(options.delayMax ?? 1000),
  rescanMillis: Duration.toMillis(options.rescanInterval ?? Duration.infinity)
})

// --- what one mostly wants of it --------------------------------------------------------------------------------

/** Watches a tree until the scope ends. */
export const watch = (
  path: string,
  options?: FileWatchOptions
): Effect.Effect<WatchedTree, FileWatchError, FileWatch | Scope.Scope> =>
  Effect.flatMap(FileWatch, (service) => service.watch(path, options))

/** The batches of a tree, watched as long as the stream runs. */
export const batches = (
  path: string,
  options?: FileWatchOptions
): Stream.Stream<FileBatch, FileWatchError, FileWatch> =>
  Stream.unwrap(Effect.map(watch(path, options), (tree) => tree.batches))

/** The changes of a tree one by one, watched as long as the stream runs. */
export const changes = (
  path: string,
  options?: FileWatchOptions
): Stream.Stream<FileChange, FileWatchError, FileWatch> =>
  Stream.unwrap(Effect.map(watch(path, options), (tree) => tree.changes))

type ChangeOf<Tag extends FileChange["_tag"]> = Extract<FileChange, { readonly _tag: Tag }>

/** What to do for the changes of each kind; those left out are passed over. */
export type FileChangeHandlers = {
  readonly [Tag in FileChange["_tag"]]?: (
    change: ChangeOf<Tag>,
    tree: WatchedTree
  ) => Effect.Effect<unknown, unknown, unknown>
}

type Handler<H> = Extract<H[keyof H], (...args: never) => unknown>
type HandlerError<H> = Effect.Error<ReturnType<Handler<H>>>
type HandlerServices<H> = Effect.Services<ReturnType<Handler<H>>>

/** Watches a tree, and runs a handler for each change of its kind, one after another. Ends with the first failure. */
export const handle = <const H extends FileChangeHandlers>(
  path: string,
  handlers: H,
  options?: FileWatchOptions
): Effect.Effect<
  never,
  HandlerError<H> | FileWatchError,
  Exclude<HandlerServices<H>, Scope.Scope> | FileWatch
> =>
  Effect.scoped(
    Effect.flatMap(watch(path, options), (tree) =>
      Effect.forever(
        Effect.flatMap(tree.next, ({ changes }) =>
          Effect.forEach(changes, (change) => handled(handlers, change, tree), { discard: true })
        )
      )
    )
  )

const handled = <H extends FileChangeHandlers>(
  handlers: H,
  change: FileChange,
  tree: WatchedTree
): Effect.Effect<unknown, HandlerError<H>, HandlerServices<H>> => {
  // The tag chooses the handler of just this kind; the compiler cannot follow that through a union.
  const handler = handlers[change._tag] as
    | ((change: FileChange, tree: WatchedTree) => Effect.Effect<unknown, HandlerError<H>, HandlerServices<H>>)
    | undefined
  return handler === undefined ? Effect.void : handler(change, tree)
}
