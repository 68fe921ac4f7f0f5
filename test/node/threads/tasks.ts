/** Tasks, as both sides know them. */
import * as Schema from "effect/Schema"
import * as WorkerTransferable from "effect/workers/Transferable"
import * as ThreadTask from "../../../src/reactor/ThreadTask.ts"

const module = new URL("./tasksWorker.ts", import.meta.url)

export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", { limit: Schema.Number }) {}
export class TooOld extends Schema.TaggedError<TooOld>()("TooOld", { since: Schema.Date }) {}

export class Order extends Schema.Class<Order>("Order")({
  number: Schema.Number,
  placed: Schema.Date,
  note: Schema.Option(Schema.String)
}) {}

export const Ship = ThreadTask.make("ship", {
  module,
  payload: Order,
  success: Order,
  error: Schema.Union([TooLarge, TooOld]),
  progress: Schema.Date
})

export const Invert = ThreadTask.make("invert", {
  module,
  payload: WorkerTransferable.Uint8Array,
  success: WorkerTransferable.Uint8Array
})

export const Forever = ThreadTask.make("forever", { module, payload: Schema.Number })

export const Void = ThreadTask.make("nothing", { module })

/** What the implementation gives does not fit these. */
export const Wrong = ThreadTask.make("wrong", {
  module,
  payload: Schema.Literals(["success", "error", "progress", "defect"]),
  success: Schema.Number.check(Schema.isGreaterThan(0)),
  error: Schema.Number.check(Schema.isGreaterThan(0)),
  progress: Schema.Number.check(Schema.isGreaterThan(0))
})

/** Nobody implements it. */
export const Missing = ThreadTask.make("missing", { module })
