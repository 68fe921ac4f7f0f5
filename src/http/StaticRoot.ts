/** A directory that nobody gets out of: names in it are found, or are not there. */
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import * as StaticPath from "./StaticPath.ts"
import { type FileStore, type OpenFile, StaticStore, type StoredInfo } from "./StaticStore.ts"

export interface Options {
  /** A directory, or a single file. A link there is followed, and looked at again when its target changes. */
  readonly root: string
  /** Whether names with a dot in front are there for others. `/.well-known/` is always. Default `hide`. */
  readonly dotfiles?: "hide" | "serve" | undefined
  /**
   * Links below the root: `refuse` them, follow those that end `inside` of it, or `follow` them all, wherever they lead: then whoever may write in
   * the root decides what is served. Default `refuse`.
   */
  readonly symlinks?: "refuse" | "inside" | "follow" | undefined
}

export interface StaticRoot {
  /** `undefined`: not there, for us. */
  readonly find: (
    segments: ReadonlyArray<string>
  ) => Effect.Effect<OpenFile | undefined, PlatformError, Scope.Scope>
  /** The names in a directory that `find` has found, without those that are hidden. */
  readonly names: (segments: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, PlatformError>
  /** As `find`, for a listing. */
  readonly look: (
    segments: ReadonlyArray<string>
  ) => Effect.Effect<(StoredInfo & { readonly kind: "File" | "Directory" }) | undefined>
}

const isNotFound = ({ reason }: PlatformError): boolean => reason._tag === "NotFound"

export const make = ({ dotfiles = "hide", root, symlinks = "refuse" }: Options): StaticRoot => {
  // Resolved when it is first needed; again when something does not lie where it should.
  let realRoot: string | undefined
  const isHidden = (segments: ReadonlyArray<string>) => dotfiles === "hide" && StaticPath.isHidden(segments)

  const pathOf = ({ separator }: FileStore, base: string, segments: ReadonlyArray<string>): string =>
    segments.length === 0
      ? base
      : `${base.endsWith(separator) ? base : base + separator}${segments.join(separator)}`

  const isAllowed = (
    store: FileStore,
    base: string,
    segments: ReadonlyArray<string>,
    realPath: string
  ): boolean => {
    const { separator } = store
    if (symlinks === "refuse") return realPath === pathOf(store, base, segments)
    if (symlinks === "follow" || realPath === base) return true
    const inside = base.endsWith(separator) ? base : base + separator
    // What is hidden stays so by whatever name.
    return realPath.startsWith(inside) && !isHidden(realPath.slice(inside.length).split(separator))
  }

  const resolved = (store: FileStore) =>
    Effect.tap(store.realPath(root), (path) => Effect.sync(() => void (realRoot = path)))

  const find = Effect.fnUntraced(function* (
    segments: ReadonlyArray<string>
  ): Effect.fn.Return<OpenFile | undefined, PlatformError, Scope.Scope> {
    const store = yield* StaticStore
    if (isHidden(segments) || (store.isWindows && StaticPath.isWindowsName(segments))) return undefined
    const found = yield* store
      .open(pathOf(store, root, segments))
      .pipe(Effect.catchIf(isNotFound, () => Effect.undefined))
    if (found === undefined || found.kind === "Other") return undefined
    if (realRoot !== undefined && isAllowed(store, realRoot, segments, found.realPath)) return found
    return isAllowed(store, yield* resolved(store), segments, found.realPath) ? found : undefined
  })

  return {
    find,
    names: (segments) =>
      Effect.flatMap(StaticStore, (store) =>
        Effect.map(store.list(pathOf(store, root, segments)), (names) =>
          names.filter((name) => dotfiles === "serve" || !name.startsWith(".")).toSorted()
        )
      ),
    look: (segments) =>
      Effect.flatMap(StaticStore, (store) =>
        Effect.flatMap(store.look(pathOf(store, root, segments)), (info) =>
          info.kind === "Link" && symlinks !== "refuse" ? Effect.scoped(find(segments)) : Effect.succeed(info)
        )
      ).pipe(
        Effect.map((info) =>
          info !== undefined && (info.kind === "File" || info.kind === "Directory")
            ? { ...info, kind: info.kind }
            : undefined
        ),
        // It has gone meanwhile, or is not for us.
        Effect.catch(() => Effect.undefined)
      )
  }
}
