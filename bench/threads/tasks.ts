/** Tasks that give back what they are given; both sides load this. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as WorkerTransferable from "effect/workers/Transferable"
import * as ThreadTask from "../../src/reactor/ThreadTask.ts"

const module = import.meta.url

export const Same = ThreadTask.make("same", { module, payload: Schema.Number, success: Schema.Number })
export const same = ThreadTask.implement(Same, Effect.succeed)

export const Moved = ThreadTask.make("moved", {
  module,
  payload: WorkerTransferable.Uint8Array,
  success: WorkerTransferable.Uint8Array
})
export const moved = ThreadTask.implement(Moved, Effect.succeed)
