/** Who may use a service, from its command line. Twisted: `strcred.AuthOptionMixin`. */
import * as nodePath from "node:path"
import * as Flag from "effect/cli/Flag"
import { SecureRandom } from "effect/crypto"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Checker from "../../auth/Checker.ts"
import * as CheckerDescription from "../../auth/CheckerDescription.ts"
import * as CheckerScheme from "../../auth/CheckerScheme.ts"
import type * as Credentials from "../../auth/Credentials.ts"
import * as KeyDerivation from "../../auth/KeyDerivation.ts"
import * as LoginLimit from "../../auth/LoginLimit.ts"
import * as NodeEnvironment from "../../node/NodeEnvironment.ts"
import * as NodeKeyDerivation from "../../node/NodeKeyDerivation.ts"
import * as NodeReadFiles from "../../node/NodeReadFiles.ts"
import { quoted } from "../../reactor/EndpointExcerpt.ts"
import { UsageError } from "../cli/UsageError.ts"

/** `--auth TYPE:ARGUMENTS`, any number of times. */
export const authFlag = Flag.String("auth").pipe(
  Flag.atLeast(0),
  Flag.withMetavar("TYPE:ARGUMENTS"),
  Flag.withDescription(
    "Who may come in, and nobody else: file:PATH has a line USER:PASSWORD for each; may be given several times"
  )
)

/** The daemon may go elsewhere before the service starts. */
const filesFrom = (directory: string): FileSystem.FileSystem => {
  const files = NodeReadFiles.make
  const absolute = (path: string) => nodePath.resolve(directory, path)
  return {
    ...files,
    exists: (path) => files.exists(absolute(path)),
    stat: (path) => files.stat(absolute(path)),
    readFile: (path) => files.readFile(absolute(path)),
    readFileString: (path, encoding) => files.readFileString(absolute(path), encoding)
  }
}

/** Kinds that plugins bring are looked for only where one is asked for. */
const schemesFor = (text: string) =>
  CheckerScheme.all.some(({ name }) => name === text.split(":", 1)[0])
    ? Effect.succeed([])
    : Effect.flatMap(
        Effect.promise(() =>
          Promise.all([import("../CheckerSchemePlugin.ts"), import("../cli/PluginPlaces.ts")])
        ),
        ([CheckerSchemePlugin, PluginPlaces]) =>
          CheckerSchemePlugin.schemesFor(text).pipe(
            Effect.provide(PluginPlaces.layer()),
            Effect.mapError(({ message }) => new UsageError({ detail: `--auth: ${message}` }))
          )
      )

const checkerOf = Effect.fnUntraced(function* (text: string, kind: Credentials.Known["_tag"]) {
  const schemes = yield* schemesFor(text)
  const checker = yield* Effect.mapError(
    CheckerDescription.make(text, { schemes }),
    ({ detail, scheme, usage }) =>
      new UsageError({
        detail: `--auth ${quoted(scheme)}: ${detail}`,
        ...(usage === undefined ? {} : { hint: `--auth ${usage}` })
      })
  )
  if (!checker.kinds.includes(kind))
    return yield* new UsageError({
      detail: `--auth ${quoted(text.split(":", 1)[0]!)}: it takes no passwords`
    })
  return checker
})

/** The checkers that `--auth` names, which take credentials of this kind; who guesses is slowed down over all of them. */
export const checkers = (
  texts: ReadonlyArray<string>,
  kind: Credentials.Known["_tag"]
): Effect.Effect<ReadonlyArray<Checker.Checker<Credentials.Known>>, UsageError> =>
  Effect.gen(function* () {
    const limit = yield* LoginLimit.make()
    return yield* Effect.forEach(texts, (text) => Effect.map(checkerOf(text, kind), limit.over))
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Layer.succeed(FileSystem.FileSystem, filesFrom(NodeEnvironment.absolute("."))),
        KeyDerivation.layer(NodeKeyDerivation.functions),
        SecureRandom.layerWebCrypto
      )
    )
  )
