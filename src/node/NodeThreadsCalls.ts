/** The main side of `callFromThread`: the services that jobs may ask. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ThreadQuestion } from "../reactor/ThreadJob.ts"
import { type CarriedAnswer, carry, messageOf } from "./NodeThreadsMessage.ts"

const refused = (detail: string): CarriedAnswer => ({ _tag: "NotExposed", detail, cause: undefined })

const failed = (error: unknown): CarriedAnswer => ({
  _tag: "CallFailed",
  detail: messageOf(error),
  cause: carry(error)
})

const cancelled: CarriedAnswer = { _tag: "Cancelled", detail: "the job was cancelled", cause: undefined }

const answerOf = (exit: Exit.Exit<unknown, unknown>): CarriedAnswer => {
  if (Exit.isSuccess(exit)) return { _tag: "Success", value: exit.value }
  return Cause.hasInterruptsOnly(exit.cause) ? cancelled : failed(Cause.squash(exit.cause))
}

export class NodeThreadsCalls {
  private readonly services: ReadonlyMap<string, unknown>
  private readonly context: Context.Context<never>

  /** Methods run with `context`. */
  constructor(services: ReadonlyMap<string, unknown>, context: Context.Context<never>) {
    this.services = services
    this.context = context
  }

  /** Answers, once; gives what interrupts that. */
  begin(question: ThreadQuestion, answer: (answer: CarriedAnswer) => void): () => void {
    const asked = this.effectOf(question)
    if (!Effect.isEffect(asked)) {
      answer(asked)
      return () => {}
    }
    const fiber = Effect.runForkWith(this.context)(asked)
    fiber.addObserver((exit) => answer(answerOf(exit)))
    return () => fiber.interruptUnsafe()
  }

  /** What a thread sends is not believed: only the methods that the service has beyond any object. */
  private effectOf({
    args,
    method,
    service
  }: ThreadQuestion): Effect.Effect<unknown, unknown> | CarriedAnswer {
    if (!this.services.has(service)) return refused(`the pool exposes no service "${service}"`)
    const object = this.services.get(service) as Readonly<Record<string, unknown>>
    const member = method in Object.prototype ? undefined : object[method]
    if (Effect.isEffect(member)) return member as Effect.Effect<unknown, unknown>
    if (typeof member !== "function") return refused(`${service} has no method "${method}"`)
    return Effect.suspend(() => {
      // What it throws is a defect, which the answer tells like an error.
      const given: unknown = Reflect.apply(member, object, args)
      return Effect.isEffect(given)
        ? (given as Effect.Effect<unknown, unknown>)
        : Effect.promise(async () => given)
    })
  }
}
