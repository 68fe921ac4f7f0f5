/** The code of a plugin: its module, which must be in its package, and what that exports. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { nearest } from "../result/NearestWord.ts"
import type { PluginEntry } from "./PluginEntry.ts"
import { ofEntry, type PluginError } from "./PluginError.ts"
import { ExportMissing, ImportFailed, ModuleMissing, OutsidePackage } from "./PluginReason.ts"
import type { PluginFiles } from "./PluginSource.ts"
import { messageOf } from "./PluginText.ts"

/** Imports a plugin's module, and gives the export that its metadata name. */
export const exportOf = (files: PluginFiles, entry: PluginEntry): Effect.Effect<unknown, PluginError> =>
  Effect.gen(function* () {
    const { code } = entry
    if (code._tag === "BuiltIn") {
      const exports = yield* imported(Effect.tryPromise(code.load), notImported("(built in)"))
      return yield* Effect.fromResult(pick(exports, entry.export, "(built in)"))
    }
    const { isForeign, path } = yield* locate(files, entry.package.directory ?? "", code.module)
    const exports = yield* imported(files.load(path), notImported(code.module, isForeign))
    return yield* Effect.fromResult(pick(exports, entry.export, code.module))
  }).pipe(Effect.mapError((reason) => ofEntry(entry, reason)))

interface Located {
  /** Without links. */
  readonly path: string
  /** The package is a link to where no packages are installed. */
  readonly isForeign: boolean
}

const locate = Effect.fnUntraced(function* (
  files: PluginFiles,
  directory: string,
  module: string
): Effect.fn.Return<Located, ModuleMissing | OutsidePackage | ImportFailed> {
  const realPath = (path: string) => Effect.mapError(files.realPath(path), notImported(module))
  const path = yield* realPath(files.at(directory, module))
  const top = yield* realPath(directory)
  const parent = yield* realPath(files.parentOf(directory))
  if (path === undefined || top === undefined) return yield* new ModuleMissing({ module })
  if (!isBelow(files, path, top)) return yield* new OutsidePackage({ module, path })
  return { path, isForeign: files.parentOf(top) !== parent && !isInstalled(files, top) }
})

const isBelow = (files: PluginFiles, path: string, top: string): boolean => {
  for (
    let above = files.parentOf(path), last = path;
    above !== last;
    last = above, above = files.parentOf(above)
  ) {
    if (above === top) return true
  }
  return false
}

const isInstalled = (files: PluginFiles, path: string): boolean => {
  for (
    let above = files.parentOf(path), last = path;
    above !== last;
    last = above, above = files.parentOf(above)
  ) {
    if (files.nameOf(above) === "node_modules") return true
  }
  return false
}

type Module = Readonly<Record<string, unknown>>

const imported = (
  importing: Effect.Effect<Module, Cause.UnknownError>,
  failure: (thrown: unknown) => ImportFailed
): Effect.Effect<Module, ImportFailed> =>
  Effect.catchCause(importing, (cause) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
    const thrown = Cause.squash(cause)
    return Effect.fail(failure(Cause.isUnknownError(thrown) ? thrown.cause : thrown))
  })

const notImported =
  (module: string, isForeign = false) =>
  (cause: unknown): ImportFailed => {
    const { code } = (typeof cause === "object" && cause !== null ? cause : {}) as { readonly code?: unknown }
    const detail =
      code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING"
        ? "Node strips no types below node_modules; the package must declare a module of JavaScript"
        : code === "ERR_MODULE_NOT_FOUND" && isForeign
          ? `${messageOf(cause)}; the package is a link, and what it imports must be installed where that leads (npm install --install-links copies it)`
          : messageOf(cause)
    return new ImportFailed({ module, detail, cause })
  }

/** Never throws: to read an export that its module has not made yet does. */
const pick = (
  exports: Module,
  name: string,
  module: string
): Result.Result<unknown, ExportMissing | ImportFailed> => {
  try {
    if (Object.hasOwn(exports, name)) return Result.succeed(exports[name])
    const suggestion = nearest(name, Object.keys(exports)) ?? Object.keys(exports)[0]
    return Result.fail(new ExportMissing({ module, export: name, suggestion }))
  } catch (cause) {
    return Result.fail(notImported(module)(cause))
  }
}
