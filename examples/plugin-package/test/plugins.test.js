import assert from "node:assert/strict"
import { test } from "node:test"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ServiceMaker } from "spindle/app"
import { NodePluginFiles } from "spindle/node"
import { Plugin, PluginSource, Registry, SniffPlugin } from "spindle/plugin"

/** What Spindle finds when it is run in this directory: the package itself is the nearest place. */
const registry = Registry.layer({ directory: import.meta.dirname }).pipe(
  Layer.provide(PluginSource.layer(NodePluginFiles.files))
)

test("what package.json declares is right, and is there", () =>
  Effect.gen(function* () {
    assert.deepEqual(yield* Plugin.problems, [])
    assert.equal(ServiceMaker.isServiceMaker(yield* Plugin.load(ServiceMaker.kind, "nameday")), true)
    assert.equal(typeof (yield* Plugin.load(SniffPlugin.kind, "nameday")).protocol, "function")
  }).pipe(Effect.provide(registry), Effect.runPromise))
