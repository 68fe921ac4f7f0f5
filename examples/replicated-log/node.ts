/**
 * One node of a log, as a program: start three of them, end one in any way (`kill -9`), and start it again.
 *
 *     NODE=a node --conditions=source examples/replicated-log/node.ts
 *     node --conditions=source examples/replicated-log/client.ts append "hello"
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { NodeReactor } from "spindle/node"
import * as LogPlaces from "./LogPlaces.ts"
import { careful } from "./LogRules.ts"
import * as LogServer from "./LogServer.ts"

const main = Effect.gen(function* () {
  const nodes = yield* LogPlaces.config("NODES")
  const name = yield* Config.String("NODE")
  const directory = yield* Config.String("DATA_DIR").pipe(Config.withDefault("data"))
  const self = nodes.find((node) => node.name === name)
  if (self === undefined) return yield* Effect.die(new Error(`NODE is one of NODES, not "${name}"`))
  return yield* LogServer.run({
    self,
    nodes,
    path: `${directory}/${name}.log`,
    rules: careful,
    interface: self.host
  })
})

NodeRuntime.runMain(main.pipe(Effect.provide([NodeReactor.layer, NodeFileSystem.layer, NodePath.layer])), {
  // Ctrl-C interrupts, and is the ordinary end.
  teardown: (exit, onExit) => onExit(Exit.hasInterrupts(exit) ? 0 : 1)
})
