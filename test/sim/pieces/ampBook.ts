/** Calls of AMP that know each other apart, who answers them, and a book of both. */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { AmpArgument, AmpCommand, AmpConnection, type AmpError, AmpGroup } from "../../../src/amp/index.ts"
import type { Seed } from "../../../src/sim/Seed.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly description: string }> {}
class Fatal extends Data.TaggedError("Fatal")<{ readonly description: string }> {}

const Echo = AmpCommand.make("Echo", {
  arguments: { id: AmpArgument.Unicode, how: AmpArgument.Unicode, payload: AmpArgument.String },
  response: { id: AmpArgument.Unicode, payload: AmpArgument.String },
  errors: { REFUSED: Refused },
  fatalErrors: { FATAL: Fatal }
})
const Tell = AmpCommand.notice("Tell", { arguments: { id: AmpArgument.Unicode } })

/** Both sides offer the same. */
export const group = AmpGroup.make(Echo, Tell)

type Connection = AmpConnection.AmpConnection["Service"]

export interface Limits {
  readonly callsMax: number
  readonly commandsMax: number
  readonly commandsQueuedMax: number
}

const usual = ["now", "now", "slow", "late", "refuse", "back"] as const
/** Nobody asks back: where both sides do, and each has one place, they wait for each other. */
const quick = ["now", "slow", "refuse"] as const
const rare = [...usual, "fatal", "die"] as const

/** The default, in milliseconds. */
export const callTimeout = 30_000

const payloadOf = (id: string, size: number): Uint8Array => {
  const payload = new Uint8Array(size)
  for (let i = 0; i < Math.min(size, 64); i++) payload[i] = id.charCodeAt(i % id.length)
  return payload
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.subarray(0, 64).every((byte, i) => byte === other[i])

export class Book {
  broken: string | undefined = undefined
  answered = 0
  kept = 0
  lastFailure = ""
  timedOut = 0
  /** Nobody ends a connection any more, or takes long. */
  isCalm = false
  readonly seed: Seed
  readonly limits: Limits
  private readonly handled = new Set<string>()
  private readonly active = new Map<Connection, number>()

  constructor(seed: Seed, limits: Limits) {
    this.seed = seed
    this.limits = limits
  }

  demand(isGood: boolean, what: string): void {
    if (!isGood) this.broken ??= what
  }

  // --- who answers ----------------------------------------------------------------------------------------

  get handlers() {
    return {
      Echo: (args: AmpCommand.ArgumentsOf<typeof Echo>) => this.worked(args.id, this.echo(args)),
      Tell: ({ id }: { readonly id: string }) => this.worked(id, Effect.sleep(this.seed.pick([0, 1, 50])))
    }
  }

  /** Each call is worked on once, and not too many of them at the same time. */
  private worked<A, E>(id: string, work: Effect.Effect<A, E, AmpConnection.AmpConnection>) {
    const begin = Effect.map(AmpConnection.AmpConnection, (connection) => {
      this.demand(!this.handled.has(id), `${id} is worked on twice`)
      this.handled.add(id)
      const active = (this.active.get(connection) ?? 0) + 1
      this.active.set(connection, active)
      this.demand(active <= this.limits.commandsMax, `${active} commands are worked on at once`)
      return connection
    })
    return Effect.acquireUseRelease(
      begin,
      () => work,
      (connection) => Effect.sync(() => void this.active.set(connection, this.active.get(connection)! - 1))
    )
  }

  private echo({ how, id, payload }: AmpCommand.ArgumentsOf<typeof Echo>) {
    return Effect.gen({ self: this }, function* () {
      switch (how) {
        case "slow":
          yield* Effect.sleep(this.seed.between(1, 500))
          break
        case "late":
          yield* Effect.sleep(this.seed.between(500, 10_000))
          break
        case "refuse":
          yield* Effect.sleep(this.seed.pick([0, 1, 50]))
          return yield* new Refused({ description: id })
        case "fatal":
          return yield* new Fatal({ description: id })
        case "die":
          return yield* Effect.die(`the end of ${id}`)
        case "back": {
          const peer = yield* AmpConnection.AmpConnection
          const asked = peer.call(Echo, { id: `${id} back`, how: "now", payload }, { timeout: "10 seconds" })
          const answer = yield* Effect.mapError(asked, () => new Refused({ description: id }))
          this.demand(answer.id === `${id} back` && isSame(answer.payload, payload), `${id}: asked back`)
        }
      }
      return { id, payload }
    })
  }

  // --- who asks -------------------------------------------------------------------------------------------

  /** Any call, given up sooner or later. */
  ask(connection: Connection, id: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { seed } = this
      if (seed.chance(0.1)) return Effect.ignore(connection.call(Tell, { id }))
      const how = seed.pick(this.isCalm ? quick : seed.chance(0.03) ? rare : usual)
      const size = seed.chance(0.05) ? 70_000 : seed.pick([0, 10, 3_000])
      const timeout = seed.pick([undefined, undefined, 40, 1_000])
      const asked = this.question(connection, { id, how, size, timeout })
      return seed.chance(0.2)
        ? Effect.asVoid(Effect.timeoutOption(asked, seed.between(0, 300)))
        : Effect.asVoid(asked)
    })
  }

  /** Whether it was answered, or refused by whoever was asked. */
  question(
    connection: Connection,
    ask: {
      readonly id: string
      readonly how: string
      readonly size: number
      readonly timeout: number | undefined
    }
  ): Effect.Effect<boolean> {
    const { how, id, size, timeout } = ask
    return Effect.gen({ self: this }, function* () {
      const payload = payloadOf(id, size)
      const begin = yield* Clock.currentTimeMillis
      const exit = yield* Effect.exit(
        connection.call(Echo, { id, how, payload }, timeout === undefined ? {} : { timeout })
      )
      const took = (yield* Clock.currentTimeMillis) - begin
      const most = (timeout ?? callTimeout) * (1 + 1 / 16)
      // The server itself may stand still.
      this.demand(
        took <= most + 50 || id.startsWith("server"),
        `${id}: ends after ${took} ms, allowed are ${most}`
      )
      if (Exit.isSuccess(exit)) {
        this.answered++
        this.demand(exit.value.id === id, `${id} gets the answer for ${exit.value.id}`)
        this.demand(isSame(exit.value.payload, payload), `${id} gets another payload`)
        this.demand(this.handled.has(id), `${id} is answered by nobody`)
        this.demand(how !== "refuse" && how !== "fatal" && how !== "die", `${id}: ${how} is answered`)
        return true
      }
      return this.failed(ask, exit, took)
    })
  }

  private failed(
    {
      how,
      id,
      timeout = callTimeout
    }: { readonly id: string; readonly how: string; readonly timeout: number | undefined },
    exit: Exit.Failure<unknown, Refused | Fatal | AmpError.AmpError>,
    took: number
  ): boolean {
    for (const reason of exit.cause.reasons) {
      if (reason._tag === "Interrupt") continue
      if (reason._tag === "Die") {
        this.demand(false, `${id} dies: ${String(reason.defect)}`)
        continue
      }
      const { error } = reason
      if (error._tag !== "AmpError") {
        this.demand(error.description === id, `${id} gets the error for ${error.description}`)
        this.demand(
          how === "back" || how === (error._tag === "Refused" ? "refuse" : "fatal"),
          `${id}: ${how} fails`
        )
        return error._tag === "Refused"
      }
      const { _tag } = error.reason
      this.lastFailure = `${id}: ${error.message}`
      if (_tag === "TimedOut") {
        this.timedOut++
        this.demand(took >= timeout - 1 || id.startsWith("server"), `${id} is out of time after ${took} ms`)
      } else if (_tag === "UnknownRemoteError") this.demand(how === "die", `${id}: ${how} dies there`)
      else this.demand(_tag === "ConnectionLost", `${id}: ${error.message}`)
    }
    return false
  }
}
