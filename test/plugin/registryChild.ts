/**
 * A program with plugins, run by Node itself: what it finds at and above a directory, and what comes of loading all greetings and
 * of the names that it is given. `node registryChild.ts DIRECTORY [NAME...]`
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as NodePluginFiles from "../../src/node/NodePluginFiles.ts"
import * as Plugin from "../../src/plugin/Plugin.ts"
import * as PluginKind from "../../src/plugin/PluginKind.ts"
import * as PluginSource from "../../src/plugin/PluginSource.ts"
import * as Registry from "../../src/plugin/Registry.ts"

export interface Report {
  readonly listed: ReadonlyArray<string>
  readonly problems: ReadonlyArray<string>
  /** By name: the value, or the message of the error. */
  readonly loaded: Readonly<Record<string, unknown>>
}

const anything = PluginKind.make("greeting", { validate: (value) => Result.succeed(value) })
const [directory = ".", ...names] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const plugins = yield* Plugin.all(anything)
  const problems = yield* Plugin.problems
  const loaded: Record<string, unknown> = {}
  for (const name of names) {
    const result = yield* Effect.result(Plugin.load(anything, name))
    loaded[name] = Result.isSuccess(result) ? result.success : result.failure.message
  }
  const listed = plugins.map(({ name, package: owner }) => `${name} ${owner.name}`)
  const report: Report = { listed, problems: problems.map(({ message }) => message), loaded }
  process.stdout.write(JSON.stringify(report))
})

const registry = Registry.layer({ directory }).pipe(Layer.provide(PluginSource.layer(NodePluginFiles.files)))
await Effect.runPromise(Effect.provide(program, registry))
